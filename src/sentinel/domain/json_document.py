"""Read JSON with nothing of it changed: numbers keep their digits, of equal keys all values are known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Spark's reader ends at 1000 levels, of which enclosing a record takes two; at numbers and names of these lengths.
MAX_DEPTH = 998
MAX_NUMBER_DIGITS = 1_000
MAX_NAME_CHARACTERS = 50_000
_BLANK = re.compile(r"[ \t\r\n]*")
# A string that does not end goes to the end of the text: looked for again at each of its quotes it took hours.
_BRACKETS = re.compile(r'"(?:[^"\\]++|\\.?)*+(?:"|\Z)|[\[{\]}]', re.DOTALL)
# Deeper than a schema's types and than what is shown of a value.
_LEVELS = 300


class Number(str):
    """A JSON number with its digits as they were written."""

    __slots__ = ()


class RefusedError(Exception):
    """The text is refused by a rule of our own, for this reason."""


@dataclass(slots=True)  # a frozen one takes several times as long to make
class JsonObject:
    """A JSON object: of equal keys the last value counts, the earlier ones are kept aside."""

    values: dict[str, Any]
    overridden: tuple[tuple[str, Any], ...]


def read_document(text: str) -> Any:
    """Return the one document of a text: objects as `JsonObject`, numbers as `Number`.

    Raises:
        ValueError: It is not well-formed.
        RefusedError: It holds something that Spark's reader or JSON does not know.
        RecursionError: It is nested too deep.
    """
    if text.count("{") + text.count("[") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise RecursionError
    value, end = _value_at(text, _blank_end(text, 0))
    _refuse_more(text, end)
    return value


def raw_items(text: str) -> Iterator[tuple[str, Any]]:
    """Yield (text, document) of each element of an array, the texts exactly as they stand in it.

    Raises:
        ValueError: It is no well-formed array.
        RefusedError, RecursionError: As `read_document`.
    """
    return _elements(text, _after(text, 0, "["))


def raw_members(text: str) -> dict[str, tuple[str, Any]]:
    """Return name -> (text, document) of each member of an object; of equal names the last one counts.

    Raises:
        ValueError: It is no well-formed object.
        RefusedError, RecursionError: As `read_document`.
    """
    members: dict[str, tuple[str, Any]] = {}
    at = _after(text, 0, "{")
    if text[at : at + 1] == "}":
        _refuse_more(text, at + 1)
        return members
    while True:
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting a name in double quotes", text, at)
        name, at = _DECODER.raw_decode(text, at)
        start = _after(text, at, ":")
        value, at = _value_at(text, start)
        members[name] = (text[start:at], value)
        at = _blank_end(text, at)
        if text[at : at + 1] == "}":
            _refuse_more(text, at + 1)
            return members
        at = _after(text, at, ",")


def _elements(text: str, at: int) -> Iterator[tuple[str, Any]]:
    if text[at : at + 1] == "]":
        _refuse_more(text, at + 1)
        return
    while True:
        value, end = _value_at(text, at)
        yield text[at:end], value
        at = _blank_end(text, end)
        if text[at : at + 1] == "]":
            _refuse_more(text, at + 1)
            return
        at = _after(text, at, ",")


def _value_at(text: str, at: int) -> tuple[Any, int]:
    """Return the value that begins there, and its end."""
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError:
        # Python's own limit counts the calls around this one too: what is read would depend on who asks.
        return _deep_value(text, at)


def _deep_value(text: str, at: int) -> tuple[Any, int]:
    """Return the value that begins there, and its end; what lies deeper than anybody looks is read and left out.

    Raises:
        ValueError: It is not well-formed.
        RefusedError: As `read_document`.
        RecursionError: It is nested too deep.
    """
    depth, inner, done, end = 0, at, at, len(text)
    parts: list[str] = []
    for bracket in _BRACKETS.finditer(text, at):
        if bracket.group() in {"{", "["}:
            depth += 1
            if depth > MAX_DEPTH:
                raise RecursionError
            if depth == _LEVELS + 1:
                inner = bracket.start()
        elif bracket.group() in {"}", "]"}:
            depth -= 1
            if depth == _LEVELS:
                _, inner_end = _value_at(text, inner)
                # As long as before, so that places stay what they are.
                parts += [text[done : inner + 1], " " * (inner_end - inner - 2), text[inner_end - 1]]
                done = inner_end
            elif depth <= 0:
                end = bracket.end()
                break
    try:
        value, length = _DECODER.raw_decode("".join(parts) + text[done:end])
    except json.JSONDecodeError as error:
        raise json.JSONDecodeError(error.msg, text, at + error.pos) from None
    return value, at + length


def _blank_end(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _after(text: str, at: int, mark: str) -> int:
    """Return where what follows a mark begins."""
    at = _blank_end(text, at)
    if text[at : at + 1] != mark:
        raise json.JSONDecodeError(f"Expecting {mark!r}", text, at)
    return _blank_end(text, at + 1)


def _refuse_more(text: str, at: int) -> None:
    at = _blank_end(text, at)
    if at < len(text):
        raise json.JSONDecodeError("Extra data", text, at)


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    values = dict(pairs)
    if max(map(len, values), default=0) > MAX_NAME_CHARACTERS:
        raise RefusedError(f"it contains a name of more than {MAX_NAME_CHARACTERS} characters")
    if len(values) == len(pairs):
        return JsonObject(values, ())
    last = {name: at for at, (name, _) in enumerate(pairs)}
    return JsonObject(values, tuple(pair for at, pair in enumerate(pairs) if last[pair[0]] != at))


def _number(text: str) -> Number:
    if len(text) > MAX_NUMBER_DIGITS and _digit_count(text) > MAX_NUMBER_DIGITS:
        raise RefusedError(f"it contains a number of {len(text)} characters; {MAX_NUMBER_DIGITS} digits are read")
    return Number(text)


def _digit_count(text: str) -> int:
    """Return how many digits Spark's reader counts: the 0 before a fraction or an exponent is one with both alone."""
    count = sum(map(str.isdecimal, text))
    is_leading = text.lstrip("-")[0] == "0" and not ("." in text and "e" in text.lower())
    return count - 1 if is_leading else count


def _no_constant(text: str) -> Any:
    raise RefusedError("it contains NaN or Infinity, which JSON does not know")


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKETS.finditer(text):
        match bracket.group():
            case "{" | "[":
                depth += 1
                deepest = max(deepest, depth)
            case "}" | "]":
                depth -= 1
    return deepest


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_no_constant
)
