"""Tests beside rules in files: what is the same, and how they are written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from sentinel.client.rule_tests import RuleTest
from sentinel.files.kinds.rule_tests import RuleTestSpec, differences, documents


def there(text: str, name: str = "a", expected: str = "match") -> RuleTest:
    now = datetime.now(UTC)
    return RuleTest.model_validate(
        {
            "id": 1, "rule_id": 2, "name": name, "event_text": text, "expected": expected, "row_version": 3,
            "created_by": "", "created_at": now, "updated_at": now,
        }
    )  # fmt: skip


def declared(**given: Any) -> RuleTestSpec:
    return RuleTestSpec.model_validate({"name": "a", "expected": "match", **given})


@pytest.mark.parametrize("text", ['{"b": [1, null], "a": 5.5}', '{"a":5.5,"b":[1,null]}'])
def test_an_event_is_the_same_however_it_is_spaced(text: str) -> None:
    assert differences([declared(event={"a": 5.5, "b": [1, None]})], [there(text)]) == []
    assert differences([declared(event_text=text)], [there('{"b":[1,null],"a":5.5}')]) == []


@pytest.mark.parametrize(
    "text", ['{"a": 5}', '{"a": true}', '{"a": "5.0"}', '{"a": 5.0, "b": null}', "{", '{"a": 5.00}']
)
def test_another_event_is_a_difference(text: str) -> None:
    (found,) = differences([declared(event={"a": 5.0})], [there(text)])
    assert (found.name, found.after) == ("tests.a", 'match: {"a": 5.0}')


def test_tests_are_added_changed_and_deleted_by_name() -> None:
    found = differences(
        [declared(name="new", event={}), declared(event={}, expected="unknown")], [there("{}"), there("{}", "old")]
    )
    assert [(item.name, item.before, item.after) for item in found] == [
        ("tests.new", None, "match: {}"),
        ("tests.a", "match: {}", "unknown: {}"),
        ("tests.old", "match: {}", None),
    ]


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"a": 1.10}', '{"a": NaN}', '{"a": 1e400}', "[1]", "no", "[" * 9000]
)
def test_what_would_be_lost_is_kept_as_a_text(text: str) -> None:
    assert documents([there(text)]) == [{"name": "a", "event_text": text, "expected": "match"}]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "needs either"),
        ({"event": {}, "event_text": "{}"}, "needs either"),
        ({"event": {"a": float("nan")}}, "a number that JSON has not"),
        ({"event": {"at": datetime.now(UTC)}}, "valid JSON"),
        ({"event": {}, "expected": "maybe"}, "'match', 'no_match' or 'unknown'"),
        ({"event": {}, "name": ""}, "at least 1 character"),
    ],
)
def test_what_is_no_test_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        declared(**given)
