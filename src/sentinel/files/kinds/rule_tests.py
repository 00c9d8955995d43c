"""Tests beside a rule, as its file declares them; told apart by their names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import JsonValue, StringConstraints, model_validator

from sentinel.client import Client
from sentinel.client.rule_tests import Expected, RuleTest
from sentinel.files.kinds.base import Difference, Spec

PREFIX = "tests."


class RuleTestSpec(Spec):
    """An example event and what the rule must be for it.

    Attributes:
        event, event_text: One of them: the event, or the record as it would be on the topic.
    """

    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    event: dict[str, JsonValue] | None = None
    event_text: str | None = None
    expected: Expected

    @model_validator(mode="after")
    def _is_one_event(self) -> RuleTestSpec:
        if (self.event is None) == (self.event_text is None):
            raise ValueError(f"the test {self.name!r} needs either `event` or `event_text`")
        try:
            json.dumps(self.event, allow_nan=False)
        except ValueError as error:
            raise ValueError(f"the event of the test {self.name!r} holds a number that JSON has not") from error
        return self


def twice(tests: Sequence[RuleTestSpec]) -> str | None:
    """Return a name that is there twice; None where each is there once."""
    names = [test.name for test in tests]
    return next((name for name in names if names.count(name) > 1), None)


def differences(declared: Sequence[RuleTestSpec], actual: Sequence[RuleTest]) -> list[Difference]:
    """Return a difference for each test that is to be added, changed or deleted."""
    before = {test.name: _of_api(test) for test in actual}
    after = {test.name: _of_file(test) for test in declared}
    return [
        Difference(f"{PREFIX}{name}", before.get(name), after.get(name))
        for name in (*after, *(name for name in before if name not in after))
        if before.get(name) != after.get(name)
    ]


def write(client: Client, rule_id: int, declared: Sequence[RuleTestSpec], actual: Sequence[RuleTest]) -> None:
    """Have just the declared tests beside a rule. One that was changed since it was compared is refused."""
    wanted = {test.name: test for test in declared}
    there = {test.name: test for test in actual}
    for difference in differences(declared, actual):
        name = difference.name.removeprefix(PREFIX)
        if name not in wanted:
            client.delete_rule_test(rule_id, there[name].id)
            continue
        test = wanted[name]
        event = test.event if test.event is not None else test.event_text or ""
        if name not in there:
            client.add_rule_test(rule_id, name, event, test.expected)
        else:
            client.change_rule_test(
                rule_id, there[name].id, name, event, test.expected, if_version=there[name].row_version
            )


def documents(tests: Sequence[RuleTest]) -> list[dict[str, Any]]:
    """Return tests as a file declares them."""
    return [{"name": test.name, **_event(test.event_text), "expected": test.expected} for test in tests]


def _of_file(test: RuleTestSpec) -> str:
    return _said(test.expected, json.dumps(test.event) if test.event is not None else test.event_text or "")


def _of_api(test: RuleTest) -> str:
    return _said(test.expected, test.event_text)


def _said(expected: str, text: str) -> str:
    """Return a test in words; the same for texts that say the same."""
    found = _event(text)
    shown = json.dumps(found["event"], sort_keys=True, ensure_ascii=False) if "event" in found else text
    return f"{expected}: {shown}"


def _event(text: str) -> dict[str, Any]:
    """Return the event of a text that is one and loses nothing when it is read and written, else the text itself.

    Lost would be: a name that is there twice, the spelling of a number, a number that JSON has not.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("a name is there twice")
        return dict(pairs)

    def same(number: str) -> float:
        if repr(float(number)) != number:
            raise ValueError(f"{number} would be written otherwise")
        return float(number)

    try:
        event = json.loads(text, object_pairs_hook=once, parse_float=same, parse_constant=same)
    except (ValueError, RecursionError):
        return {"event_text": text}
    return {"event": event} if isinstance(event, dict) else {"event_text": text}
