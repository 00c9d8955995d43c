"""Turn an event's raw JSON into text that PostgreSQL's JSONB takes."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

# What JSON allows and JSONB does not: NUL characters, and numbers beyond numeric's range (PostgreSQL documentation,
# sections 8.1.2 and 8.14). Unpaired surrogates and infinite doubles are found by orjson. A number stands where a value
# may: every fourth identifier of 32 hexadecimal digits has an "e" that looks like an exponent.
_SUSPICIOUS = re.compile(rb"\\u0000|[:,\[\s]-?[0-9]+(?:\.[0-9]+)?[eE][-+]?[0-9]{3}|[0-9]{1000}")


def jsonb_text(raw: bytes) -> str:
    """Return the event as JSON text that JSONB accepts, unchanged wherever that is possible.

    NUL characters and unpaired surrogates become U+FFFD; numbers that are no finite double become strings. Of a key
    that appears twice JSONB keeps the last one, as parsing does.

    Raises:
        ValueError: The bytes are not JSON.
    """
    if _SUSPICIOUS.search(raw) is None:
        try:
            orjson.loads(raw)
            return raw.decode()
        except ValueError:
            pass  # written anew below, or refused there
    parsed = json.loads(raw.decode(errors="replace"), parse_float=_number, parse_int=_integer, parse_constant=str)
    return json.dumps(_clean(parsed), ensure_ascii=False)


def _number(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _integer(text: str) -> int | str:
    return int(text) if len(text) < 1000 else text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value
