"""What DuckDB says of a query, without what is nobody's business: where in the text, and no address or key of ours."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

_PLACE = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)
_ADDRESS = re.compile(r"\b(?:https?|s3a?|file)://[^\s'\"]+", re.IGNORECASE)
_CUT = "..."


def first_lines(error: Exception) -> str:
    """Return what an error says, without the drawing of the place below it."""
    text = str(error).split("\n\nLINE ")[0].split("\n\n")[0].strip()
    return " ".join(line.strip() for line in text.splitlines())


def position_of(error: Exception, sql: str) -> int | None:
    """Return the place in the query, in characters, that an error draws a caret under; None where it draws none.

    DuckDB shows a part of a long line, with `...` where it is cut; the part is looked for in the line then.
    """
    found = _PLACE.search(str(error))
    if found is None:
        return None
    number, shown, indent = int(found[1]), found[2], len(found[3]) - len(f"LINE {found[1]}: ")
    lines = sql.split("\n")
    if not 1 <= number <= len(lines) or indent < 0:
        return None
    start = 0
    if shown.startswith(_CUT):
        shown, indent = shown.removeprefix(_CUT), indent - len(_CUT)
        part = shown.removesuffix(_CUT)
        if lines[number - 1].count(part) != 1:
            return None
        start = lines[number - 1].index(part)
    return sum(len(line) + 1 for line in lines[: number - 1]) + start + _characters(shown, indent)


def hidden(text: str, request: dict[str, Any]) -> str:
    """Return a text without addresses, places of the lake and credentials."""
    for known in sorted(_own(request), key=len, reverse=True):
        text = text.replace(known, "(hidden)")
    return _ADDRESS.sub("(hidden)", text)


def names_a_place(text: str, request: dict[str, Any]) -> bool:
    """Whether a text is about a place of the lake, so that it is the store's fault and not the query's."""
    return any(place in text for place in _places(request))


def _characters(text: str, cells: int) -> int:
    """Return how many characters fill so many cells of a terminal, which is what a caret is set by."""
    filled = 0
    for count, character in enumerate(text):
        if filled >= cells:
            return count
        filled += 2 if unicodedata.east_asian_width(character) in "WF" else not unicodedata.combining(character)
    return len(text)


def _places(request: dict[str, Any]) -> Iterable[str]:
    for uri in request.get("tables", {}).values():
        yield uri
        yield uri.partition("://")[2]


def _own(request: dict[str, Any]) -> set[str]:
    # Switches such as "true" are no secrets, and would blank out words.
    options = (value for name, value in request.get("storage_options", {}).items() if "KEY" in name or "URL" in name)
    return {known for known in (*_places(request), *options) if known}
