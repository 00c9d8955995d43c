"""Uploads of lists: whatever is sent, it is taken whole or refused with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.catalog.list_upload import UploadReader
from sentinel.domain.reference_list import ListRow, cell_text, cell_value
from sentinel.errors import InvalidError
from tests.support.reference_lists import list_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
USERS = list_of(
    "users",
    {
        "id": "string",
        "n": "integer",
        "x": "float",
        "d": "decimal(10,2)",
        "on": "date",
        "at": "timestamp",
        "good": "boolean",
    },
    "id",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def canonical(rows: list[Any]) -> None:
    """Check that what was accepted is stored in the one form its value has."""
    for row in rows:
        assert len(row.cells) == len(USERS.columns)
        assert row.key == row.cells[0]
        for text, column in zip(row.cells, USERS.columns, strict=True):
            assert cell_text(cell_value(text, column.type)) == text
            assert text is None or ("\x00" not in text and text.encode())


def refusal(read: Callable[[], Iterator[ListRow]]) -> InvalidError | None:
    """Return why an upload is refused, or check what was accepted."""
    try:
        canonical(list(read()))
    except InvalidError as refused:
        return refused
    return None


class TestJson:
    @settings(deadline=None)
    @given(st.lists(st.dictionaries(st.sampled_from([*(c.name for c in USERS.columns), "expires_at", "y"]), ANYTHING)))
    def test_anything_is_accepted_or_refused(self, rows: list[dict[str, Any]]) -> None:
        refused = refusal(lambda: UploadReader(USERS, NOW).read_json(rows))
        assert refused is None or refused.details
        assert refused is None or all(detail.pointer.startswith("/rows/") for detail in refused.details)

    @pytest.mark.parametrize(
        ("column", "values", "text"),
        [
            ("n", [5, "5", " 5 ", "005"], "5"),
            ("x", [1, 1.0, "1", "1e0", "1.0", " 1."], "1.0"),
            ("x", [-0.0, "-0", 0], "0.0"),
            ("d", [1.5, "1.5", "1.50", "150e-2"], "1.50"),
            ("d", [0, "-0.00", 0.0], "0.00"),
            ("at", ["2026-01-31", "2026-01-31T00:00Z", "2026-01-31 01:00:00+01:00"], "2026-01-31T00:00:00.000000Z"),
            ("good", [True, "true", "TRUE"], "true"),
        ],
    )
    def test_equal_values_are_equal_cells(self, column: str, values: list[Any], text: str) -> None:
        rows = UploadReader(USERS, NOW).read_json([{"id": str(at), column: value} for at, value in enumerate(values)])
        assert {row.cells[USERS.index(column)] for row in rows} == {text}


class TestCsv:
    @settings(deadline=None)
    @given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
    def test_any_bytes_are_accepted_or_refused(self, body: bytes) -> None:
        for heading in (b"", b"id,n,x,d,on,at,good,expires_at\n"):
            refused = refusal(lambda heading=heading: UploadReader(USERS, NOW).read_csv(heading + body))  # type: ignore[misc]
            assert refused is None or refused.message.startswith("nothing was changed")

    def test_a_mistake_in_a_text_of_many_lines_has_the_line_where_its_row_begins(self) -> None:
        body = b'id,n\n"a\nb\nc",1\nd,x\n'
        with pytest.raises(InvalidError, match="line 5, column n: 'x'"):
            list(UploadReader(USERS, NOW).read_csv(body))

    def test_a_list_has_at_most_so_many_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sentinel.catalog.list_upload.MAX_BYTES", 10)
        with pytest.raises(InvalidError, match="line 4: a list has at most"):
            list(UploadReader(USERS, NOW).read_csv(b"id\naaaa\nbbbb\ncccc\n"))
