"""The answer of a query over the lake as CSV that a spreadsheet may open."""

from __future__ import annotations

import csv
import json
from typing import Any, TextIO

from sentinel.client.lake import LakeAnswer
from sentinel.domain.csv_cells import safe_cell

# Their texts are numbers, also with a sign.
_NUMBERS = ("DECIMAL", "HUGEINT", "UHUGEINT", "BIGINT", "UBIGINT", "DOUBLE", "FLOAT")


def write_answer(answer: LakeAnswer, out: TextIO) -> None:
    """Write a heading and the rows (RFC 4180); nested values as JSON, what a spreadsheet would compute as text.

    Args:
        out: Opened with `newline=""`, or in memory.
    """
    writer = csv.writer(out)
    writer.writerow([safe_cell(_clean(column.name)) for column in answer.columns])
    is_number = [column.type.startswith(_NUMBERS) and not column.type.endswith("]") for column in answer.columns]
    for row in answer.rows:
        writer.writerow([_cell(value, numeric) for value, numeric in zip(row, is_number, strict=True)])


def _cell(value: Any, is_number: bool) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool | dict | list):
        return safe_cell(_clean(json.dumps(value, ensure_ascii=False)))
    if isinstance(value, int | float):
        return value
    return str(value) if is_number else safe_cell(_clean(str(value)))


def _clean(text: str) -> str:
    return text.replace("\x00", "")
