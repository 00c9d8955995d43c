"""The text of one member of a JSON object, exactly as it was sent."""

from __future__ import annotations

import json

_BLANK = " \t\r\n"


def member_text(body: bytes, name: str) -> str | None:
    """Return the text of a member's value with its digits, its duplicate keys and its order; None: there is none.

    A number that is read and written again may lose digits, and an event is to be judged as it is. Of a member that
    appears twice the last one counts.

    Args:
        body: A JSON object that was parsed already.
    """
    text = body.decode(json.detect_encoding(body), "surrogatepass")
    decoder = json.JSONDecoder()
    found = None
    at = _behind_blank(text, 0) + 1
    while text[at := _behind_blank(text, at)] != "}":
        if text[at] == ",":
            at = _behind_blank(text, at + 1)
        key, at = decoder.raw_decode(text, at)
        start = _behind_blank(text, _behind_blank(text, at) + 1)
        _, at = decoder.raw_decode(text, start)
        if key == name:
            found = text[start:at].encode(errors="replace").decode()
    return found


def _behind_blank(text: str, at: int) -> int:
    while text[at] in _BLANK:
        at += 1
    return at
