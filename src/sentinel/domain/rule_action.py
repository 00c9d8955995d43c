"""What a rule asks for when it matches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RuleAction:
    """One action of a rule version. Immutable.

    Attributes:
        kind: "notify", "severity", "tag" or "score".
        value: Its argument: a channel such as `slack:#big-orders`, a severity, a tag, or a score from 0 to 100.
    """

    kind: str
    value: str | int

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {"kind": self.kind, "value": self.value}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> RuleAction:
        """Read the stored form."""
        return cls(str(stored["kind"]), stored["value"])
