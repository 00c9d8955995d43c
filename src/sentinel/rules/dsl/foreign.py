"""Forms of SQL that the short form has in another way, or not at all."""

from __future__ import annotations

import re

_INTERVAL = re.compile(r"\binterval\s*$", re.IGNORECASE)
_SPAN = re.compile(r"(['\"]?)(\d{1,8})\1\s*(second|minute|hour|day|week)s?\b", re.IGNORECASE)
_LIST = re.compile(r"\bin\s*$", re.IGNORECASE)
_UNQUOTED = re.compile(r"\b(?:notify|severity|tag)\s*\(\s*$", re.IGNORECASE)
_ONLY_SQL = re.compile(
    r"(?:\b(?:like|ilike|rlike|regexp|case|select|cast|try_cast|as|date|timestamp)\s*|::)$", re.IGNORECASE
)
_SQL = 'The short form does not have this: write it as Spark SQL, or as a rule of its own and rule("name").'


def foreign_form(text: str, start: int, end: int) -> tuple[int, int, str] | None:
    """Return the place of a form of SQL that the parser stopped at, and what to write; None: it is something else."""
    before = text[:start]
    if opening := _INTERVAL.search(before):
        if span := _SPAN.match(text, start):
            return opening.start(), span.end(), f"Write {span[2]}{span[3][0].lower()}."
        return start, end, "An interval is a number and s, m, h, d or w, as in 15m."
    if _LIST.search(before) and text[start:end][:1] in ('"', "'"):
        return start, end, f"Write [{text[start:end]}]."
    if _UNQUOTED.search(before) and text[start:end].isidentifier():
        return start, end, f'Write "{text[start:end]}".'
    if _ONLY_SQL.search(text[:end]) or _ONLY_SQL.search(before):
        return start, end, _SQL
    return None
