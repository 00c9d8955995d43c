"""Somebody who sees it for the first time, in the browser: each step leads to the next."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from sentinel.client.client import Client
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.integration, pytest.mark.browser]

SAMPLE = {"id": "t-1", "user_id": "u-1", "amount": 12.5}
PASTE = "One event as JSON, an array of them, or one per line"


def test_from_an_empty_page_to_a_rule_and_an_event_of_ones_own(visitor: Visitor, api: Client) -> None:
    page = visitor.page
    visitor.open("/")
    expect(page.get_by_text("Four steps to the first alert")).to_be_visible()
    visitor.button("Create a pipeline").click()
    expect(page).to_have_url(re.compile("/pipelines"))
    visitor.settle()
    visitor.write("Name", "Card payments")
    visitor.write("Kafka topic", f"first-steps-{api.who_am_i().tenant_id}")

    # What is no sample is said beside the box, which stays open with what was written.
    visitor.unfold("Propose fields from a sample")
    visitor.write(PASTE, "{amount: 12}")
    visitor.click("Propose fields")
    expect(page.get_by_text("No fields can be read out of this.")).to_be_visible()
    visitor.write(PASTE, json.dumps(SAMPLE))
    visitor.click("Propose fields")
    expect(visitor.cell("user_id").first).to_be_attached()
    visitor.click("Create the pipeline")
    expect(page).to_have_url(re.compile(r"pipeline=\d+"))
    (pipeline,) = api.list_pipelines()

    visitor.button("Write a rule").click()
    expect(page).to_have_url(re.compile("/rules"))
    visitor.settle()
    visitor.write("Rule", "amount > 1000")
    visitor.click("Add the rule")
    expect(page).to_have_url(re.compile(r"rule=\d+"))

    visitor.open("/")
    expect(page.get_by_text(f"sentinel submit {pipeline.id}", exact=True)).to_be_visible()

    visitor.open(f"/pipelines?pipeline={pipeline.id}&show=records")
    expect(page.get_by_text("the first event makes it")).to_be_visible()
    visitor.click("Send it")
    expect(visitor.cell("sample-").first).to_be_attached()
    (record,) = api.recent_records(pipeline.id)
    assert json.loads(record.text or "")["amount"] == 1500.0
