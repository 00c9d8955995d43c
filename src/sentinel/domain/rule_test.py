"""Tests beside a rule: example events with the outcome that the rule must have for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

MAX_TESTS = 100
MAX_EVENT_CHARACTERS = 65_536


class Outcome(StrEnum):
    """What a rule is for a record; a record that is no event has no outcome of a rule."""

    MATCH = "match"
    NO_MATCH = "no_match"
    UNKNOWN = "unknown"
    DEAD_LETTER = "dead_letter"


EXPECTED = (Outcome.MATCH, Outcome.NO_MATCH, Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class RuleTest:
    """An example.

    Attributes:
        event: Text of a record. It counts as one that came when the test was made, so that its outcome never changes
            by itself.
        version: Grows with every change.
    """

    id: int
    rule_id: int
    name: str
    event: str
    expected: Outcome
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RuleTestOutcome:
    """What one test gave.

    Attributes:
        detail: Why it is what it is, where that is not what was expected.
    """

    test_id: int
    name: str
    expected: Outcome
    outcome: Outcome
    detail: str

    @property
    def passed(self) -> bool:
        """Whether it is what was expected."""
        return self.outcome is self.expected

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {
            "test_id": self.test_id,
            "name": self.name,
            "expected": str(self.expected),
            "outcome": str(self.outcome),
            "passed": self.passed,
            "detail": self.detail,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RuleTestOutcome:
        """Read the stored form."""
        return cls(
            stored["test_id"],
            stored["name"],
            Outcome(stored["expected"]),
            Outcome(stored["outcome"]),
            stored["detail"],
        )


@dataclass(frozen=True, slots=True)
class RuleTestKey:
    """What the outcome of a rule's tests follows from."""

    rule_id: int
    condition_hash: str
    schema_version: int
    tests_hash: str

    @classmethod
    def of(
        cls,
        rule_id: int,
        condition: str,
        schema_version: int,
        tests: Sequence[RuleTest],
        around: Sequence[tuple[str, str]] = (),
    ) -> RuleTestKey:
        """Build the key of a condition under a schema version.

        Args:
            around: What the rules and lists that it names stand for.
        """
        meaning = json.dumps([condition, *around]) if around else condition
        content = [[test.id, test.name, test.event, test.expected, test.created_at.isoformat()] for test in tests]
        return cls(rule_id, _hash(meaning), schema_version, _hash(json.dumps(content)))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
