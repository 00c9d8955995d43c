"""Text that tenants wrote, shown as text."""

from __future__ import annotations

import json
import re
from typing import Any

import streamlit as st

from sentinel.errors import InvalidError

# Marks that turn the direction of what follows could make one text look like another; control characters show nothing.
# Tab, line feed and the joiners that scripts and emoji need stay; half a character could not even be sent to a browser.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ud800-\udfff]"
)
CELL_CHARACTERS = 200
# What a table shows where there is nothing; a newcomer would look for the meaning of "None".
NO_VALUE = "–"
BLOCK_CHARACTERS = 50_000
BOX_CHARACTERS, BOX_LINES, BOX_PIXELS = 1500, 25, 480


def plain(value: object, limit: int = CELL_CHARACTERS) -> str:
    """Return a text whose invisible marks are spelled out, cut with its length told."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    cut = text[:limit]
    seen = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", cut)
    return seen if len(text) <= limit else f"{seen}… ({len(text):,} characters)"


def line(value: object, limit: int = CELL_CHARACTERS) -> str:
    """Return the same in one line, as cells and options show it."""
    return plain(" ".join(str(value).split()) if value is not None else "", limit)


def sendable(text: str) -> str:
    """Return a text, if it can be sent at all: an escape such as "\\ud800" makes half a character of it.

    Raises:
        InvalidError: It cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidError(f"{plain(text, 60)!r} holds half a character, which no text may") from error
    return text


def show_text(value: object, *, limit: int = BLOCK_CHARACTERS) -> None:
    """Show a text that somebody wrote, as it is."""
    st.text(plain(value, limit))


def show_json(value: Any) -> None:
    """Show a value as JSON with all digits of its numbers, which a browser's own JSON would round."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    # What is long scrolls in its own box, so that it does not push everything else out of sight.
    height = BOX_PIXELS if len(text) > BOX_CHARACTERS or text.count("\n") > BOX_LINES else "content"
    st.code(plain(text, BLOCK_CHARACTERS), language="json", wrap_lines=True, height=height)


def compact(value: Any, limit: int = CELL_CHARACTERS) -> str:
    """Return a value as JSON in one line."""
    return plain(json.dumps(value, ensure_ascii=False, default=str), limit)
