"""Lists for tests that need no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sentinel.domain.event_schema import Field, parse_type
from sentinel.domain.reference_list import CellValue, ListDefinition, PinnedList, cell_text


def list_of(name: str, columns: Mapping[str, str], key: str) -> ListDefinition:
    """Return the definition of a list of which only the key is not nullable."""
    fields = (Field(column, parse_type(kind), column != key) for column, kind in columns.items())
    return ListDefinition(name, tuple(fields), key)


class ListsInMemory:
    """Rows of versions of lists, as the database would give them."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], list[dict[str, CellValue]]] = {}
        self.reads: list[tuple[str, int, tuple[str, ...]]] = []

    def put(self, list_id: int, definition: ListDefinition, rows: Sequence[dict[str, CellValue]]) -> PinnedList:
        """Add the next version of a list."""
        version = 1 + sum(known == list_id for known, _ in self._rows)
        self._rows[list_id, version] = list(rows)
        return PinnedList(list_id, definition, version)

    def cells(self, pinned: PinnedList, columns: Sequence[str]) -> list[list[str | None]]:
        """Return the canonical texts of some columns of all rows."""
        self.reads.append((pinned.definition.name, pinned.version, tuple(columns)))
        return [[cell_text(row[column]) for column in columns] for row in self._rows[pinned.list_id, pinned.version]]
