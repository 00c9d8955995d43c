"""Labels: what is known to be true of events, to hold against the matches of rules."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sentinel.domain.dead_letter import MAX_EVENT_ID_CHARACTERS
from sentinel.errors import ErrorDetail, InvalidError

MAX_LABELS = 1_000_000
MAX_LABEL_BYTES = 64_000_000
MAX_LABEL_SETS = 20
_WORDS = {
    **dict.fromkeys(("1", "true", "t", "yes", "y"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n"), False),
}
_MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class Labels:
    """Event ids by what is true of them. Each is named once."""

    true: tuple[str, ...]
    false: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.true) + len(self.false)

    @property
    def content_hash(self) -> str:
        """SHA-256, hex: equal for equal labels in equal order."""
        return hashlib.sha256(self._text()).hexdigest()

    def to_bytes(self) -> bytes:
        """Return the stored form."""
        return zlib.compress(self._text())

    @classmethod
    def from_bytes(cls, stored: bytes) -> Labels:
        """Build them from their stored form."""
        found = json.loads(zlib.decompress(stored))
        return cls(tuple(found["true"]), tuple(found["false"]))

    def _text(self) -> bytes:
        return json.dumps({"true": self.true, "false": self.false}, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels that were uploaded. Immutable."""

    id: int
    pipeline_id: int
    name: str
    label_count: int
    true_count: int
    content_hash: str
    created_by: str
    created_at: datetime


def read_labels(content: bytes, *, id_column: str | None = None, label_column: str | None = None) -> Labels:
    """Read labels from CSV with a heading; further columns are left alone.

    Args:
        id_column: Name of the column of event ids; None: the first one.
        label_column: Name of the column of labels, which are 1/0, true/false or yes/no; None: the second one.

    Raises:
        InvalidError: It cannot be read as a whole; every problem is listed with its line, up to 20.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused([f"byte {error.start} is not UTF-8; save the file as UTF-8"]) from error
    try:
        return _read(csv.reader(io.StringIO(text, newline=""), strict=True), id_column, label_column)
    except csv.Error as error:
        raise _refused([f"it is not CSV: {error}"]) from error


def _read(rows: Iterator[list[str]], id_column: str | None, label_column: str | None) -> Labels:
    heading = [name.strip() for name in next(rows, [])]
    id_at = _column(heading, id_column, 0)
    label_at = _column(heading, label_column, 1)
    known: dict[str, bool] = {}
    problems: list[str] = []
    for line, row in enumerate(rows, 2):
        if not row:
            continue
        problem = _row_problem(row, id_at, label_at, known)
        if problem:
            problems.append(f"line {line}: {problem}")
        if len(problems) == _MAX_PROBLEMS:
            break
        if len(known) > MAX_LABELS:
            problems.append(f"line {line}: more than {MAX_LABELS:,} labels; upload those of the time range alone")
            break
    if problems:
        raise _refused(problems)
    if not known:
        raise _refused(["it holds no labels below its heading"])
    return Labels(
        tuple(event_id for event_id, label in known.items() if label),
        tuple(event_id for event_id, label in known.items() if not label),
    )


def _column(heading: list[str], name: str | None, default: int) -> int:
    shown = ", ".join(repr(column[:50]) for column in heading[:20]) or "nothing"
    if name is None:
        if len(heading) <= default:
            raise _refused([f"the heading needs a column of event ids and one of labels; it has {shown}"])
        return default
    if heading.count(name) != 1:
        raise _refused([f"the heading must name the column {name!r} once; it has {shown}"])
    return heading.index(name)


def _row_problem(row: list[str], id_at: int, label_at: int, known: dict[str, bool]) -> str | None:
    """Take up one row; return what is wrong with it."""
    if len(row) <= max(id_at, label_at):
        return f"it has {len(row)} columns, too few"
    event_id, word = row[id_at], row[label_at].strip().lower()
    if word not in _WORDS:
        return f"{row[label_at][:50]!r} is no label; labels are 1 or 0, true or false, yes or no"
    if not 0 < len(event_id) <= MAX_EVENT_ID_CHARACTERS:
        return f"an event id has 1 to {MAX_EVENT_ID_CHARACTERS} characters, not {len(event_id)}"
    if known.setdefault(event_id, _WORDS[word]) != _WORDS[word]:
        return f"the event {event_id[:100]!r} is labelled both true and false"
    return None


def _refused(problems: list[str]) -> InvalidError:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return InvalidError(
        f"the labels cannot be used: {problems[0]}{more}", details=[ErrorDetail("", problem) for problem in problems]
    )
