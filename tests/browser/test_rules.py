"""Rules in the browser: a bad one is marked where it is wrong, a version is taken back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from sentinel.client.client import Client
from tests.support.payments import create_payments
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.integration, pytest.mark.browser]


class TestRules:
    def test_a_bad_rule_is_marked_at_its_place(self, visitor: Visitor, api: Client) -> None:
        pipeline = create_payments(api)
        visitor.open(f"/rules?pipeline={pipeline}")
        visitor.write("Rule", "amount > 10 AND amuont > 1000")
        marked = visitor.page.get_by_test_id("stCode").first
        expect(marked).to_contain_text("line 1: amount > 10 AND amuont > 1000")
        lines = (marked.text_content() or "").split("\n")
        assert [lines[1].index("^"), lines[1].count("^")] == [lines[0].index("amuont"), len("amuont")]
        expect(visitor.button("Add the rule")).to_be_disabled()
        visitor.write("Rule", "amount > 10 AND amount > 1000")
        expect(visitor.page.get_by_text("This can be a rule.")).to_be_visible()
        expect(visitor.button("Add the rule")).to_be_enabled()

    def test_a_version_is_taken_back(self, visitor: Visitor, api: Client) -> None:
        rule = api.add_rule(create_payments(api), "amount > 1000", "critical", "large")
        api.change_rule(rule.id, "amount > 1", "critical", "large", comment="too much")
        visitor.open(f"/rules?rule={rule.id}&show=versions")
        visitor.click("Go back to version 1")
        expect(visitor.page.get_by_text("version 3, changed")).to_be_visible()
        found = api.get_rule(rule.id)
        assert (found.version, found.rule_expression) == (3, "amount > 1000")
