"""What decided a rule: the tree, its places in the text, and the leaves its verdict follows from."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel.errors import InvalidRuleError
from sentinel.rules.explanation.decision import decide
from sentinel.rules.explanation.report import explain_parts
from sentinel.rules.explanation.tree import MAX_COMPUTED, MAX_LIST_ITEMS, rule_tree
from sentinel.rules.known import KnownNames
from tests.unit.rules.corpus import HONEST, SCHEMA

T, F, U = True, False, None


def decided(rule: str, **known: Any) -> list[str]:
    """The texts of the leaves that decided, given what parts of the rule (by their text) are."""
    root = rule_tree(rule, SCHEMA)
    texts = {rule[part.start : part.end]: part.number for part in root.walk()}
    values = {texts[text.replace("_is_", " > ")]: value for text, value in known.items()}
    return [rule[part.start : part.end] for part in decide(root, values).parts]


class TestTheTree:
    @pytest.mark.parametrize("rule", HONEST)
    def test_every_part_is_text_of_the_rule_with_all_its_parentheses(self, rule: str) -> None:
        root = rule_tree(rule, SCHEMA)
        assert root.sql is not None
        for part in root.walk():
            text = rule[part.start : part.end]
            assert text == text.strip()
            if "'" not in text and '"' not in text:
                assert text.count("(") == text.count(")"), text
            for child in part.children:
                assert part.start <= child.start <= child.end <= part.end

    def test_a_part_has_its_own_type_and_sql(self) -> None:
        root = rule_tree("amount > 100 AND lower(country) = 'de'", SCHEMA)
        assert [(part.kind, str(part.type)) for part in root.walk()] == [
            ("and", "boolean"),
            ("comparison", "boolean"),
            ("field", "float"),
            ("literal", "None"),
            ("comparison", "boolean"),
            ("call", "string"),
            ("field", "string"),
            ("literal", "None"),
        ]

    def test_a_unit_is_no_field(self) -> None:
        root = rule_tree("timestampdiff(HOUR, sent_at, event_time) = 0", SCHEMA)
        unit = next(part for part in root.walk() if part.kind == "field" and part.end - part.start == 4)
        assert (unit.type, unit.sql) == (None, None)

    def test_a_long_list_is_cut(self) -> None:
        rule = f"quantity IN ({', '.join(map(str, range(500)))})"
        root = rule_tree(rule, SCHEMA)
        assert len(root.children) == MAX_LIST_ITEMS + 1
        assert root.left_out == 500 - MAX_LIST_ITEMS

    def test_a_large_rule_is_computed_from_its_root_down(self) -> None:
        rule = " AND ".join(f"amount > {number}" for number in range(400))
        root = rule_tree(rule, SCHEMA)
        assert sum(part.sql is not None for part in root.walk()) == MAX_COMPUTED
        assert root.sql is not None
        shown = explain_parts(root, {0: False}, {})
        assert shown["decided_by"][0]["start"] == 0, "its operands are not all known, so it is a leaf"

    def test_a_rule_that_the_gate_refuses_is_refused(self) -> None:
        with pytest.raises(InvalidRuleError, match="does not fit"):
            rule_tree("reflect('java.lang.System', 'exit', 1)", SCHEMA)


class TestWhatDecided:
    RULE = "amount > 1 AND quantity > 2"

    @pytest.mark.parametrize(
        ("left", "right", "root", "leaves"),
        [
            (T, T, T, ["amount > 1", "quantity > 2"]),
            (F, T, F, ["amount > 1"]),
            (T, F, F, ["quantity > 2"]),
            (F, F, F, ["amount > 1"]),
            (U, F, F, ["quantity > 2"]),
            (U, T, U, ["amount > 1"]),
            (T, U, U, ["quantity > 2"]),
        ],
    )
    def test_of_an_and(self, left: bool | None, right: bool | None, root: bool | None, leaves: list[str]) -> None:
        known = {"amount_is_1": left, "quantity_is_2": right, self.RULE: root}
        assert decided(self.RULE, **known) == leaves

    @pytest.mark.parametrize(
        ("left", "right", "root", "leaves"),
        [
            (F, F, F, ["amount > 1", "quantity > 2"]),
            (T, F, T, ["amount > 1"]),
            (F, T, T, ["quantity > 2"]),
            (U, T, T, ["quantity > 2"]),
            (U, F, U, ["amount > 1"]),
        ],
    )
    def test_of_an_or(self, left: bool | None, right: bool | None, root: bool | None, leaves: list[str]) -> None:
        rule = self.RULE.replace("AND", "OR")
        assert decided(rule, **{"amount_is_1": left, "quantity_is_2": right, rule: root}) == leaves

    def test_of_a_not(self) -> None:
        rule = "NOT (amount > 1)"
        assert decided(rule, amount_is_1=T, **{rule: F}) == ["amount > 1"]

    def test_of_a_constant(self) -> None:
        rule = "amount > 1 OR TRUE"
        assert decided(rule, amount_is_1=F, TRUE=T, **{rule: T}) == ["TRUE"]

    @pytest.mark.parametrize(
        ("foreign", "value", "leaves"),
        [
            (T, F, ["is_foreign", "amount > 10"]),
            (F, T, ["is_foreign", "amount > 1000"]),
            (U, T, ["is_foreign", "amount > 1000"]),
        ],
    )
    def test_of_a_case(self, foreign: bool | None, value: bool, leaves: list[str]) -> None:
        rule = "CASE WHEN is_foreign THEN amount > 10 ELSE amount > 1000 END"
        known = {"is_foreign": foreign, "amount_is_10": value, "amount_is_1000": value, rule: value}
        assert decided(rule, **known) == leaves

    def test_a_field_without_value_is_named(self) -> None:
        rule = "amount > 1"
        root = rule_tree(rule, SCHEMA)
        explained = explain_parts(root, {0: None, 1: None}, {1: None})
        assert (explained["verdict"], explained["missing"], explained["not_computable"]) == ("unknown", ["amount"], [])
        assert explained["decided_by"] == [
            {
                "text": "amount > 1",
                "start": 0,
                "end": 10,
                "rule": None,
                "verdict": "unknown",
                "values": {"amount": None},
            }
        ]

    def test_what_has_all_it_needs_and_no_value_is_named(self) -> None:
        rule = "100 / (quantity - 1) > 3"
        root = rule_tree(rule, SCHEMA)
        numbers = {rule[part.start : part.end]: part.number for part in root.walk()}
        values = {
            0: None,
            numbers["100 / (quantity - 1)"]: None,
            numbers["quantity - 1"]: 0,
            numbers["quantity"]: 1,
        }
        explained = explain_parts(root, values, values)
        assert explained["missing"] == []
        assert [place["text"] for place in explained["not_computable"]] == ["100 / (quantity - 1)"]

    def test_a_case_without_branch_is_named(self) -> None:
        rule = "CASE WHEN is_foreign THEN amount > 10 END"
        root = rule_tree(rule, SCHEMA)
        explained = explain_parts(root, {0: None, 1: False, 2: True}, {})
        (place,) = explained["not_computable"]
        assert (place["text"], place["why"]) == (rule, "no branch of CASE applied and there is no ELSE")
        assert explained["missing"] == []


class TestComposite:
    KNOWN = KnownNames(
        {"night": "hour(event_time) < 5 AND lower(email) LIKE 'a%'", "both": "rule('night') AND (amount > 1)"}
    )
    RULE = "quantity > 2 AND rule('both')"

    def explained(self, **known: Any) -> dict[str, Any]:
        """Given what parts (by their text) are."""
        root = rule_tree(self.RULE, SCHEMA, self.KNOWN)
        numbers = {part.text[part.start : part.end]: part.number for part in root.walk()}
        values = {numbers[text]: value for text, value in known.items()}
        return explain_parts(root, values, values)

    def test_the_trees_of_rules_stand_below_their_references(self) -> None:
        root = rule_tree(self.RULE, SCHEMA, self.KNOWN)
        assert [(part.rule, part.text[part.start : part.end]) for part in root.walk() if part.is_condition] == [
            (None, self.RULE),
            (None, "quantity > 2"),
            (None, "rule('both')"),
            ("both", "rule('night') AND (amount > 1)"),
            ("both", "rule('night')"),
            ("night", "hour(event_time) < 5 AND lower(email) LIKE 'a%'"),
            ("night", "hour(event_time) < 5"),
            ("night", "lower(email) LIKE 'a%'"),
            ("both", "amount > 1"),
        ]

    def test_what_decided_lies_within_them(self) -> None:
        night = self.KNOWN.conditions["night"]
        explained = self.explained(
            **{
                self.RULE: None,
                "quantity > 2": True,
                "rule('both')": None,
                self.KNOWN.conditions["both"]: None,
                "rule('night')": None,
                night: None,
                "hour(event_time) < 5": True,
                "lower(email) LIKE 'a%'": None,
                "lower(email)": None,
                "email": None,
                "amount > 1": True,
            }
        )
        assert explained["missing"] == ["email"]
        assert explained["not_computable"] == []
        assert explained["decided_by"] == [
            {
                "text": "lower(email) LIKE 'a%'",
                "start": night.index("lower"),
                "end": len(night),
                "rule": "night",
                "verdict": "unknown",
                "values": {"email": None},
            }
        ]
