"""The whole way in the browser, with the job that detects: from nothing to alerts that are dealt with."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from sentinel.client.client import Client
from sentinel.errors import TransientError
from sentinel.testing.servers import ServerSet
from tests.support.detection import Workbench
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.integration, pytest.mark.browser]

# Three seconds on a machine that does nothing else; the figure is printed.
ALERT_SECONDS = 15
WORKER_SECONDS = 120
SAMPLE = {"id": "t-1", "user_id": "u-1", "amount": 12.5, "country": "DE"}


@pytest.fixture
def bench(servers: ServerSet, site_tenant: str, tmp_path: Path) -> Iterator[Workbench]:
    """Runs the job and the rule worker of the tenant whose dashboard it is."""
    workbench = Workbench(servers, site_tenant, tmp_path)
    yield workbench
    workbench.close()


def test_from_nothing_to_an_alert_that_is_dealt_with(visitor: Visitor, api: Client, bench: Workbench) -> None:
    page = visitor.page
    topic = bench.create_topic(1)

    # A pipeline, its fields proposed from a sample.
    visitor.open("/pipelines")
    visitor.write("Name", "Card payments")
    visitor.write("Kafka topic", topic)
    visitor.unfold("Propose fields from a sample")
    visitor.write("One event as JSON, an array of them, or one per line", json.dumps(SAMPLE))
    visitor.click("Propose fields")
    expect(visitor.cell("country").first).to_be_attached()
    visitor.click("Create the pipeline")
    expect(page).to_have_url(re.compile(r"pipeline=\d+"))
    (pipeline,) = api.list_pipelines()
    assert {each.name for each in api.get_schema(pipeline.id).fields} == set(SAMPLE)

    # A rule.
    visitor.open(f"/rules?pipeline={pipeline.id}")
    visitor.write("Rule", "amount > 1000")
    expect(page.get_by_text("This can be a rule.")).to_be_visible()
    visitor.click("Add the rule")
    expect(page).to_have_url(re.compile(r"rule=\d+"))
    (rule,) = api.list_rules(pipeline.id)

    # The job, and an event that nothing looks for: the first one takes longest.
    job, worker = bench.start_job(pipeline.id), bench.start_worker()
    bench.wait_generation(pipeline.id, job)
    api.send_events([json.dumps(SAMPLE).encode()], pipeline=pipeline.id)
    bench.wait_decided(pipeline.id, topic, job)

    # An event, and its alert on the page that is open already.
    visitor.open("/")
    # What a spreadsheet would compute.
    event = SAMPLE | {"id": "=2+3", "amount": 5000}
    sent = time.monotonic()
    api.send_events([json.dumps(event).encode()], pipeline=pipeline.id)
    expect(visitor.cell("=2+3").first).to_be_attached(timeout=ALERT_SECONDS * 1000)
    print(f"the alert was on the page {time.monotonic() - sent:.1f} s after its event")

    # Why it was raised.
    visitor.open(f"/alerts?pipeline={pipeline.id}&rule={rule.id}")
    visitor.choose_row("alert-list")
    expect(page).to_have_url(re.compile(r"alert=\d+"))
    address = page.url.removeprefix(visitor.url)
    bench.wait_until("the rule worker answers", lambda: answers(api, pipeline.id, rule.id), worker)
    visitor.open(f"{address}&show=explain")
    visitor.click("Explain this match")
    expect(page.get_by_text("It matches.")).to_be_visible(timeout=WORKER_SECONDS * 1000)

    # It is dealt with.
    visitor.open(address)
    visitor.click("Acknowledge")
    bench.wait_until("it is acknowledged", lambda: status_of(api, pipeline.id) == "acknowledged", timeout=30)
    expect(visitor.button("Resolve")).to_be_visible()

    # And taken along.
    page.get_by_role("button", name="CSV").first.click()
    visitor.click("Make a CSV file")
    with page.expect_download() as download:
        visitor.button("Download 1 rows").click()
    (row,) = csv.DictReader(download.value.path().read_text().splitlines())
    assert (row["event_id"], row["status"]) == ("'=2+3", "acknowledged")
    assert json.loads(row["transaction_data"])["amount"] == 5000

    # What another rule would have found, which then acts.
    bench.wait_archived(pipeline.id, job)
    draft = api.add_rule(pipeline.id, "amount > 10", "info", "any", state="draft")
    visitor.open(f"/rules?pipeline={pipeline.id}&rule={draft.id}&show=backtest")
    visitor.click("Test it")
    expect(page).to_have_url(re.compile(r"backtest=\d+"))
    visitor.button("Publish it").click(timeout=WORKER_SECONDS * 1000)
    expect(page.get_by_text("is in force as it was tested")).to_be_visible()
    assert api.get_rule(draft.id).state == "active"

    # A record that is no event is mended and sent again, and raises its alert.
    broken = json.dumps(SAMPLE | {"id": "mended", "amount": 7000})
    bench.send(topic, [broken.replace("7000", '"seven"').encode()])
    bench.wait_until("it is a dead letter", lambda: bool(api.dead_letters(pipeline.id)), job)
    (letter,) = api.dead_letters(pipeline.id)
    visitor.open(f"/dead_letters?pipeline={pipeline.id}&letter={letter.id}")
    expect(visitor.button("Check it")).to_be_visible()
    visitor.write("Record to send", broken)
    expect(page.get_by_text("This would be an event now.")).to_be_visible(timeout=WORKER_SECONDS * 1000)
    visitor.click("Send it again")
    expect(page.get_by_text(f"Dead letter {letter.id} was sent again.").first).to_be_visible()
    bench.wait_until(
        "its alert is there",
        lambda: "mended" in {each.event_id for each in api.list_alerts(pipeline_id=pipeline.id).alerts},
        job,
    )


def status_of(api: Client, pipeline_id: int) -> str:
    """The status of the only alert."""
    (alert,) = api.list_alerts(pipeline_id=pipeline_id).alerts
    return alert.status


def answers(api: Client, pipeline_id: int, rule_id: int) -> bool:
    """Whether a rule worker is there."""
    try:
        api.explain_event(pipeline_id, SAMPLE, rule_id=rule_id)
    except TransientError:
        return False
    return True
