"""Read the actions of a rule's short form."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence

from sentinel.domain.rule import Severity
from sentinel.domain.rule_action import RuleAction
from sentinel.rules.dsl.short_rule import ShortRuleError

MAX_CHANNEL_CHARACTERS = 500
MAX_TAG_CHARACTERS = 64
MAX_ACTIONS = 20
_CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,31}:\S.*", re.DOTALL)
_TAG = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.:/-]{{0,{MAX_TAG_CHARACTERS - 1}}}")

Value = str | int


def _is_channel(value: Value) -> bool:
    return isinstance(value, str) and len(value) <= MAX_CHANNEL_CHARACTERS and bool(_CHANNEL.fullmatch(value))


def _is_severity(value: Value) -> bool:
    return value in [severity.value for severity in Severity]


def _is_tag(value: Value) -> bool:
    return isinstance(value, str) and bool(_TAG.fullmatch(value))


def _is_score(value: Value) -> bool:
    return isinstance(value, int) and 0 <= value <= 100


# Action -> (whether a value fits, what it must be, an example).
ACTIONS: dict[str, tuple[Callable[[Value], bool], str, str]] = {
    "notify": (_is_channel, "a channel: a kind, a colon and a target", 'notify("slack:#big-orders")'),
    "severity": (_is_severity, "critical, warning or info", 'severity("critical")'),
    "tag": (_is_tag, f"a tag of letters, digits and _ . : / -, at most {MAX_TAG_CHARACTERS}", 'tag("large")'),
    "score": (_is_score, "a whole number from 0 to 100", "score(80)"),
}
SINGLE = ("severity", "score")


def read_action(name: str, values: Sequence[Value], start: int, end: int) -> RuleAction:
    """Return an action.

    Raises:
        ShortRuleError: There is no such action, or its argument does not fit.
    """
    known = ACTIONS.get(name.lower())
    if known is None:
        near = difflib.get_close_matches(name.lower(), ACTIONS, n=1)
        suggestion = f"Did you mean {near[0]}?" if near else f"Actions: {', '.join(ACTIONS)}."
        raise ShortRuleError("action", start, start + len(name), f"There is no action {name[:64]}.", suggestion)
    fits, wanted, example = known
    if len(values) != 1:
        message = f"{name} takes one argument, not {len(values)}."
        raise ShortRuleError("action", start, end, message, f"Write {example}.")
    if not fits(values[0]):
        raise ShortRuleError(
            "action", start, end, f"{name} takes {wanted}, not {values[0]!r:.80}.", f"Write {example}."
        )
    return RuleAction(name.lower(), values[0])
