"""Parse a rule's short form."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources

from lark import Lark, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from sentinel.rules.dsl.actions import ACTIONS, MAX_ACTIONS, SINGLE
from sentinel.rules.dsl.build import Builder
from sentinel.rules.dsl.foreign import foreign_form
from sentinel.rules.dsl.short_rule import ShortRule, ShortRuleError
from sentinel.rules.limits import MAX_TEXT_LENGTH

_OPENING = re.compile(r"\s*when\b", re.IGNORECASE)
_VALUES = frozenset(("TEXT", "INTEGER", "DECIMAL", "FLOAT", "TRUE", "FALSE", "NULL", "NAME", "QUOTED", "DURATION"))
_OPERATORS = frozenset(("SIGN", "FACTOR"))
_NAMED = {
    "COMPARISON": "a comparison (==, !=, <, <=, >, >=)",
    "SIGN": "+ or -",
    "FACTOR": "*, / or %",
    "OPEN": "'('",
    "CLOSE": "')'",
    "LSQB": "'['",
    "LIST_END": "']'",
    "COMMA": "','",
    "DOT": "'.'",
    "$END": "the end of the rule",
}
_INSTEAD = {
    "&": "Write and.",
    "|": "Write or.",
    "!": "Write not.",
    "“": 'Texts stand in straight quotes: "text".',
    "”": 'Texts stand in straight quotes: "text".',
    "‘": "Texts stand in straight quotes: 'text'.",
    "’": "Texts stand in straight quotes: 'text'.",
}


def is_short_form(text: str) -> bool:
    """Tell whether a rule is written in the short form: it begins with the word `when`, as no condition can."""
    return _OPENING.match(text) is not None


def parse_short(text: str, *, is_stored: bool = False) -> ShortRule:
    """Parse `when CONDITION then ACTION, ...`.

    Args:
        is_stored: As of `check_rule`.

    Raises:
        ShortRuleError: It is not such a rule; the issue names line, column, what was found and what was expected.
    """
    if len(text) > MAX_TEXT_LENGTH:
        message = f"The rule has {len(text)} characters; at most {MAX_TEXT_LENGTH} are allowed."
        raise ShortRuleError("too-long", MAX_TEXT_LENGTH, len(text), message, "Split it into several rules.")
    try:
        rule: ShortRule = _parser(is_stored).parse(text)  # type: ignore[assignment]
    except UnexpectedInput as unexpected:
        raise _refusal(text, unexpected) from unexpected
    for kind in SINGLE:
        if sum(action.kind == kind for action in rule.actions) > 1:
            raise ShortRuleError("action", 0, len(text), f"There is more than one {kind}.", "Keep one of them.")
    if len(rule.actions) > MAX_ACTIONS:
        message = f"The rule has {len(rule.actions)} actions; at most {MAX_ACTIONS} are allowed."
        raise ShortRuleError("action", 0, len(text), message)
    return rule


@lru_cache(maxsize=2)
def _parser(is_stored: bool) -> Lark:
    grammar = resources.files("sentinel.rules.dsl").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", transformer=Builder(is_stored=is_stored))


def _refusal(text: str, unexpected: UnexpectedInput) -> ShortRuleError:
    state = unexpected.interactive_parser if isinstance(unexpected, UnexpectedToken | UnexpectedCharacters) else None
    expected = set(state.accepts()) if state is not None else set()  # type: ignore[no-untyped-call]
    if isinstance(unexpected, UnexpectedToken):
        token = unexpected.token
        if token.type == "$END":
            start = end = len(text)
            found = "the end of the rule"
        else:
            start, end = int(token.start_pos or 0), int(token.end_pos or 0)
            found = f"{str(token)[:40]!r}"
    else:
        start = int(unexpected.pos_in_stream or 0)
        end = min(start + 1, len(text))
        found = f"{text[start:end]!r}"
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    after_then = expected == {"NAME"} and "then" in text[:start].lower()
    wanted = f"an action ({', '.join(ACTIONS)})" if after_then else _listed(expected)
    message = f"Line {line}, column {column}: expected {wanted}, found {found}."
    suggestion = _INSTEAD.get(text[start : start + 1])
    if (meant := foreign_form(text, start, end)) is not None:
        start, end, suggestion = meant
    elif text[start : start + 1] in ('"', "'") and end - start < 2:
        suggestion = "Close the text with the same quote."
    if not is_short_form(text):
        suggestion = 'Write it as when amount > 500 then notify("slack:#big-orders").'
    return ShortRuleError("syntax", start, max(start, end), message, suggestion)


def _listed(expected: set[str]) -> str:
    """Return what was expected, for people."""
    parts = []
    if {"TEXT", "NAME", "INTEGER"} <= expected:
        parts.append("a value")
        expected = expected - _VALUES - {"OPEN", "SIGN"}
    elif {"TEXT", "INTEGER"} & expected:
        parts.append("a text or a number")
        expected = expected - _VALUES
    if expected >= _OPERATORS:
        parts.append("an operator")
        expected = expected - _OPERATORS - {"DOT", "LSQB", "OPEN"}
    named = sorted(
        _NAMED.get(name, "a name" if name in ("NAME", "QUOTED") else name.strip("_").lower()) for name in expected
    )
    parts += list(dict.fromkeys(named))
    return " or ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]])) or "something else"
