"""Read the rows of an upload, CSV or JSON, hostile until checked: every cell typed, keys present and unique.

What is wrong is told with its line (CSV) or place (JSON), column and value, up to MAX_PROBLEMS of them, and nothing of
a broken upload is used.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sentinel.domain.event_schema import DecimalType, Field
from sentinel.domain.reference_list import (
    EXPIRES_AT,
    MAX_BYTES,
    MAX_CELL_CHARACTERS,
    MAX_KEY_CHARACTERS,
    MAX_ROWS,
    CellValue,
    ListDefinition,
    ListRow,
    cell_text,
)
from sentinel.errors import ErrorDetail, InvalidError
from sentinel.rules.literals import parse_date, parse_timestamp

MAX_PROBLEMS = 100
_INTEGER = re.compile(r"-?\d{1,19}")
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")
_NUMBER_CHARACTERS = 400


class UploadReader:
    """Reads rows for one list.

    Attributes:
        problems: What was wrong so far.
        expired: How many rows were left out because their time is over.
    """

    def __init__(self, definition: ListDefinition, now: datetime) -> None:
        self._definition = definition
        self._now = now
        self._seen: dict[str, str] = {}
        self._size = 0
        self._rows = 0
        self.problems: list[ErrorDetail] = []
        self.expired = 0

    def read_csv(self, body: bytes) -> Iterator[ListRow]:
        """Yield the rows of a CSV text with a heading: UTF-8, RFC 4180. An empty cell is null.

        Raises:
            InvalidError: It cannot be used; everything wrong is listed. Raised at the end: nothing of what was yielded
                before may be used then.
        """
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = body[: error.start].count(b"\n") + 1
            raise _refused(f"line {line}: the upload is not UTF-8 (byte {error.start})", "") from error
        yield from self._checked(self._csv_records(text))
        self._refuse_problems()

    def read_json(self, items: Sequence[Mapping[str, Any]], pointer: str = "/rows") -> Iterator[ListRow]:
        """Yield rows given as objects, column -> value; a column that is left out is null.

        Raises:
            InvalidError: As `read_csv`.
        """
        records = ((f"row {number}", f"{pointer}/{number}", item) for number, item in enumerate(items))
        yield from self._checked(records)
        self._refuse_problems()

    def keys(self, values: Sequence[object], pointer: str) -> list[str]:
        """Read values of the key column.

        Raises:
            InvalidError: One of them is none.
        """
        column = self._definition.columns[self._definition.index(self._definition.key)]
        found = []
        for number, value in enumerate(values):
            key = self._cell(column, value, f"key {number}", f"{pointer}/{number}")
            if key is not None:
                found.append(key)
        self._refuse_problems()
        return found

    def _csv_records(self, text: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        heading: list[str] = []
        line = 1
        try:
            heading = [name.strip() for name in next(reader, [])]
            self._check_heading(heading)
            if self.problems:
                return
            line = reader.line_num + 1
            for cells in reader:
                if cells:
                    if len(cells) != len(heading):
                        message = f"line {line}: {len(cells)} cells, but the heading has {len(heading)} columns"
                        self._report(f"/line/{line}", message)
                    else:
                        yield f"line {line}", f"/line/{line}", dict(zip(heading, cells, strict=True))
                if len(self.problems) >= MAX_PROBLEMS:
                    return
                line = reader.line_num + 1
        except csv.Error as error:
            self._report(f"/line/{line}", f"line {line}: this is not CSV: {error}")

    def _check_heading(self, heading: list[str]) -> None:
        known = [column.name for column in self._definition.columns]
        if not heading:
            self._report("/line/1", "the upload is empty; its first line names the columns")
        for name in sorted({name for name in heading if heading.count(name) > 1}):
            self._report("/line/1", f"line 1: the column {name[:128]!r} appears twice")
        for name in heading:
            if name not in (*known, EXPIRES_AT):
                self._report("/line/1", f"line 1: the list has no column {name[:128]!r}; it has {', '.join(known)}")
        for column in self._definition.columns:
            if heading and not column.nullable and column.name not in heading:
                self._report("/line/1", f"line 1: the column {column.name!r} is missing, which cannot be null")

    def _checked(self, records: Iterable[tuple[str, str, Mapping[str, Any]]]) -> Iterator[ListRow]:
        names = {column.name for column in self._definition.columns}
        columns, key_at = self._definition.columns, self._definition.index(self._definition.key)
        for place, pointer, record in records:
            if len(self.problems) >= MAX_PROBLEMS:
                return
            before = len(self.problems)
            for name in record.keys() - names - {EXPIRES_AT}:
                self._report(f"{pointer}/{name[:128]}", f"{place}: the list has no column {name[:128]!r}")
            cells = tuple(
                self._cell(column, record.get(column.name), place, f"{pointer}/{column.name}") for column in columns
            )
            expires_at = self._expiry(record.get(EXPIRES_AT), place, f"{pointer}/{EXPIRES_AT}")
            key = cells[key_at]
            if len(self.problems) > before or key is None:
                continue
            first = self._seen.setdefault(key, place)
            if first is not place:
                name = self._definition.key
                self._report(f"{pointer}/{name}", f"{place}, column {name}: {key[:60]!r} is there already in {first}")
                continue
            self._rows += 1
            self._size += sum(len(cell.encode()) for cell in cells if cell is not None)
            if self._rows > MAX_ROWS or self._size > MAX_BYTES:
                self._report(pointer, f"{place}: a list has at most {MAX_ROWS} rows and {MAX_BYTES} bytes")
                return
            if expires_at is not None and expires_at <= self._now:
                self.expired += 1
                continue
            yield ListRow(key, cells, expires_at)

    def _cell(self, column: Field, value: object, place: str, pointer: str) -> str | None:
        is_key = column.name == self._definition.key
        if value is None or (value == "" and place.startswith("line")):
            if not column.nullable:
                what = "the key" if is_key else "this column"
                self._report(pointer, f"{place}, column {column.name}: there is no value, and {what} cannot be null")
            return None
        try:
            text = cell_text(typed(value, column))
        except ValueError as error:
            self._report(pointer, f"{place}, column {column.name}: {error}")
            return None
        limit = MAX_KEY_CHARACTERS if is_key else MAX_CELL_CHARACTERS
        if text is not None and len(text) > limit:
            self._report(pointer, f"{place}, column {column.name}: {len(text)} characters; at most {limit} are allowed")
            return None
        return text

    def _expiry(self, value: object, place: str, pointer: str) -> datetime | None:
        if value is None or value == "":
            return None
        moment = parse_timestamp(value.strip()) if isinstance(value, str) else None
        if moment is None:
            self._report(
                pointer,
                f"{place}, column {EXPIRES_AT}: {_shown(value)} is not a timestamp such as 2026-01-31T12:00:00Z",
            )
        return moment

    def _report(self, pointer: str, message: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(ErrorDetail(pointer, message))

    def _refuse_problems(self) -> None:
        if self.problems:
            count = len(self.problems)
            more = f" (and {count - 1} more)" if count > 1 else ""
            raise InvalidError(f"nothing was changed: {self.problems[0].detail}{more}", details=self.problems)


def typed(value: object, column: Field) -> CellValue:  # noqa: PLR0911, PLR0912 - one per type
    """Return a value of an upload in its column's type.

    Raises:
        ValueError: It is none; a sentence that names it.
    """
    kind = column.type
    if isinstance(kind, DecimalType):
        return _decimal(value, kind)
    match str(kind):
        case "string":
            if isinstance(value, str) and "\x00" not in value and _is_text(value):
                return value
        case "integer":
            written = value.strip() if isinstance(value, str) else value
            if isinstance(written, str) and _INTEGER.fullmatch(written):
                written = int(written)
            if isinstance(written, int) and not isinstance(written, bool) and -(2**63) <= written < 2**63:
                return written
        case "float":
            number = _float(value)
            if number is not None:
                return number
        case "boolean":
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.strip().lower() in ("true", "false"):
                return value.strip().lower() == "true"
        case "date":
            day = parse_date(value.strip()) if isinstance(value, str) else None
            if day is not None:
                return day
        case _:
            moment = parse_timestamp(value.strip()) if isinstance(value, str) else None
            if moment is not None:
                return moment
    raise ValueError(f"{_shown(value)} is not {_FORMS[str(kind)]}")


_FORMS = {
    "string": "a text that can be stored",
    "integer": "a whole number of 64 bits",
    "float": "a finite number",
    "boolean": "true or false",
    "date": "a date such as 2026-01-31",
    "timestamp": "a timestamp such as 2026-01-31T12:00:00Z",
}


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _float(value: object) -> float | None:
    if isinstance(value, str) and len(value) <= _NUMBER_CHARACTERS and _NUMBER.fullmatch(value.strip()):
        number = float(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            return None
    else:
        return None
    return number if abs(number) != float("inf") and number == number else None  # noqa: PLR0124 - not NaN


def _decimal(value: object, kind: DecimalType) -> Decimal:
    written = repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if isinstance(written, str) and len(written) <= _NUMBER_CHARACTERS and _NUMBER.fullmatch(written.strip()):
        try:
            number = Decimal(written.strip())
            sign, digits, exponent = number.as_tuple()
            scaled = int("".join(map(str, digits))) * 10 ** max(0, int(exponent) + kind.scale)
            lost = 10 ** max(0, -(int(exponent) + kind.scale))
            if scaled % lost == 0 and scaled // lost < 10**kind.precision:
                whole = scaled // lost
                return Decimal((sign if whole else 0, tuple(map(int, str(whole))), -kind.scale))
        except InvalidOperation:
            pass
    raise ValueError(f"{_shown(value)} is not a {kind}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refused(message: str, pointer: str) -> InvalidError:
    return InvalidError(f"nothing was changed: {message}", details=[ErrorDetail(pointer, message)])
