"""Lists, their rows and versions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from sentinel.domain.reference_list import (
    ListDefinition,
    ListRow,
    ListVersion,
    PinnedList,
    ReferenceList,
    RowChange,
    RowCounts,
)
from sentinel.stores.postgres.database import Connection, Database, Row, required
from sentinel.stores.postgres.pipelines import PostgresPipelines
from sentinel.stores.postgres.rules import PostgresRules
from sentinel.stores.postgres.statements import load_statements

_SQL = load_statements("lists")


class PostgresLists:
    """The lists of the transaction's tenant."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[ReferenceList]:
        """Return all lists, by name."""
        return [_reference_list(row) for row in self._connection.execute(_SQL["list"])]

    def get(self, name: str) -> ReferenceList | None:
        """Return the list."""
        row = self._connection.execute(_SQL["get"], {"name": name}).fetchone()
        return _reference_list(row) if row else None

    def definitions(self) -> tuple[ListDefinition, ...]:
        """Return the shape of every list, by name."""
        rows = self._connection.execute(_SQL["definitions"])
        return tuple(ListDefinition.of(row["name"], row["columns"], row["key_column"]) for row in rows)

    def versions(self, list_id: int) -> Sequence[ListVersion]:
        """Return all versions, newest first."""
        return [ListVersion(**row) for row in self._connection.execute(_SQL["versions"], {"list_id": list_id})]

    def rows(self, list_id: int, version: int, *, after: str | None, key: str | None, limit: int) -> Sequence[ListRow]:
        """Return rows of a version in the order of their keys, from after a key on."""
        parameters = {"list_id": list_id, "version": version, "after": after, "key": key, "limit": limit}
        found = self._connection.execute(_SQL["rows"], parameters)
        return [ListRow(row["key"], tuple(row["cells"]), row["expires_at"]) for row in found]

    def diff(self, list_id: int, before: int, after: int, *, from_key: str | None, limit: int) -> Sequence[RowChange]:
        """Return what became of each key between two versions, in the order of the keys, from after a key on."""
        parameters = {"list_id": list_id, "before": before, "after": after, "from_key": from_key, "limit": limit}
        return [_row_change(row) for row in self._connection.execute(_SQL["diff"], parameters)]

    def readers(self, name: str) -> Sequence[tuple[int, int]]:
        """Return (pipeline, rule) of every rule in force that reads a list, itself or through rules it refers to."""
        rows = self._connection.execute(_SQL["readers"], {"name": name})
        return [(row["pipeline_id"], row["rule_id"]) for row in rows]

    def pin(self, names: Iterable[str]) -> dict[str, int]:
        """Keep lists at their versions until the transaction ends, and return name -> version."""
        rows = self._connection.execute(_SQL["pin"], {"names": [*names]})
        return {row["name"]: row["version"] for row in rows}

    def is_named_by_rules(self, name: str) -> bool:
        """Tell whether any version of any rule reads a list."""
        return bool(required(self._connection.execute(_SQL["is_named"], {"name": name}).fetchone())["is_named"])

    def delete(self, list_id: int) -> None:
        """Delete a list that no rule ever read, with its rows and versions."""
        self._connection.execute(_SQL["delete_rows"], {"list_id": list_id})
        self._connection.execute(_SQL["delete"], {"list_id": list_id})

    # -- changes, in this order

    def add(self, definition: ListDefinition, description: str) -> int | None:
        """Create a list without a version and return its id; None when the name is taken."""
        row = self._connection.execute(
            _SQL["add"],
            {
                "name": definition.name,
                "description": description,
                "columns": Jsonb(definition.stored_columns()),
                "key_column": definition.key,
            },
        ).fetchone()
        return row["id"] if row else None

    def stage(self, rows: Iterable[ListRow]) -> None:
        """Put rows where the changes below take them from; before anything is locked, since it takes longest."""
        self._connection.execute(_SQL["create_staging"])
        with self._connection.cursor().copy(_SQL["copy_staging"]) as copy:
            copy.set_types(["text", "text[]", "int4", "timestamptz"])
            for row in rows:
                copy.write_row((row.key, [*row.cells], size_of(row), row.expires_at))
        self._connection.execute(_SQL["analyze_staging"])

    def compare_staged(self, list_id: int, *, limit: int) -> tuple[int, RowCounts, Sequence[RowChange]]:
        """Return what making the staged rows all rows would come to: rows, counts, and the first changes by key."""
        row = required(self._connection.execute(_SQL["staged_counts"], {"list_id": list_id}).fetchone())
        changes = self._connection.execute(_SQL["staged_diff"], {"list_id": list_id, "limit": limit})
        counts = RowCounts(row["added"], row["changed"], row["removed"])
        return row["row_count"], counts, [_row_change(each) for each in changes]

    def lock(self, list_id: int) -> int:
        """Keep others from changing a list, or rules, until the transaction ends; return the list's version."""
        self._connection.execute(_SQL["lock_pipelines"])
        return int(required(self._connection.execute(_SQL["lock_list"], {"list_id": list_id}).fetchone())["version"])

    def replace_rows(self, list_id: int, version: int) -> RowCounts:
        """Make what is staged all rows of a version."""
        removed = self._count("close_absent", list_id, version)
        return self._merge(list_id, version, removed)

    def edit_rows(self, list_id: int, version: int, deleted: Sequence[str], now: datetime) -> RowCounts:
        """Add what is staged to a version, in place of the same keys; drop keys, and rows whose time is over."""
        removed = self._count("close_keys", list_id, version, keys=[*deleted])
        merged = self._merge(list_id, version, removed)
        expired = self._count("close_expired", list_id, version, now=now)
        return RowCounts(merged.added, merged.changed, merged.removed + expired)

    def expire_rows(self, list_id: int, version: int, now: datetime) -> RowCounts:
        """Drop rows whose time is over from a version that follows."""
        return RowCounts(0, 0, self._count("close_expired", list_id, version, now=now))

    def totals(self, list_id: int) -> tuple[int, int, str]:
        """Return the number of rows of now, their bytes and their hash."""
        row = required(self._connection.execute(_SQL["totals"], {"list_id": list_id}).fetchone())
        return row["row_count"], row["size_bytes"], row["content_hash"]

    def add_version(
        self, list_id: int, version: int, counts: RowCounts, *, cause: str, comment: str, created_by: str
    ) -> None:
        """Record a version whose rows were written, and make it the current one."""
        row_count, size_bytes, content_hash = self.totals(list_id)
        self._connection.execute(
            _SQL["add_version"],
            {
                "list_id": list_id,
                "version": version,
                "cause": cause,
                "comment": comment,
                "row_count": row_count,
                "size_bytes": size_bytes,
                "content_hash": content_hash,
                "added": counts.added,
                "changed": counts.changed,
                "removed": counts.removed,
                "created_by": created_by,
            },
        )
        self._connection.execute(_SQL["point_to"], {"list_id": list_id, "version": version})

    def pipelines(self, name: str) -> Sequence[int]:
        """Return the pipelines whose rule set in force reads a list."""
        return [row["id"] for row in self._connection.execute(_SQL["users"], {"name": name})]

    def _merge(self, list_id: int, version: int, removed: int) -> RowCounts:
        changed = self._count("close_changed", list_id, version)
        written = self._count("insert_staged", list_id, version)
        return RowCounts(written - changed, changed, removed)

    def _count(self, statement: str, list_id: int, version: int, **more: object) -> int:
        return self._connection.execute(_SQL[statement], {"list_id": list_id, "version": version, **more}).rowcount


@dataclass(frozen=True, slots=True)
class ExpiredRows:
    """So many rows of a list expired, which made a version."""

    name: str
    version: int
    rows: int


class ListSnapshotStore:
    """Rows of any version of one tenant's lists, and their expiry, each in a transaction of its own."""

    def __init__(self, database: Database, tenant_id: str) -> None:
        self._database = database
        self._tenant_id = tenant_id

    def cells(self, pinned: PinnedList, columns: Sequence[str]) -> list[list[str | None]]:
        """Return the canonical texts of some columns of all rows, in the order of the keys.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        places = [pinned.definition.index(column) + 1 for column in columns]
        parameters = {"list_id": pinned.list_id, "version": pinned.version, "places": places}
        with self._database.transaction(self._tenant_id) as connection:
            cursor = connection.cursor(row_factory=tuple_row)
            return [row[0] for row in cursor.execute(_SQL["all_rows"], parameters)]

    def expire(self, now: datetime) -> list[ExpiredRows]:
        """Write the next version of every list that has rows whose time is over, without them.

        One transaction per list. Rule sets that name the list follow, so running jobs notice.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer.
        """
        with self._database.transaction(self._tenant_id) as connection:
            due = connection.execute(_SQL["due"], {"now": now}).fetchall()
        expired = []
        for row in due:
            with self._database.transaction(self._tenant_id) as connection:
                lists = PostgresLists(connection)
                version = lists.lock(row["id"]) + 1
                counts = lists.expire_rows(row["id"], version, now)
                if counts.is_empty:
                    continue
                lists.add_version(row["id"], version, counts, cause="expiry", comment="", created_by="expiry")
                _publish(connection, row["name"], version)
                expired.append(ExpiredRows(row["name"], version, counts.removed))
        return expired


def _publish(connection: Connection, name: str, list_version: int) -> None:
    """Write the next rule set of each pipeline whose rule set reads a list: the same one but for the list's version."""
    pipelines, rules = PostgresPipelines(connection), PostgresRules(connection)
    for row in connection.execute(_SQL["users"], {"name": name}).fetchall():
        members = rules.rule_set(row["id"], row["rule_set_version"])
        version = row["rule_set_version"] + 1
        rules.add_rule_set(row["id"], version, replace(members, lists={**members.lists, name: list_version}))
        pipelines.set_rule_set_version(row["id"], version)


def size_of(row: ListRow) -> int:
    """Return the bytes of a row's cells."""
    return sum(len(cell.encode()) for cell in row.cells if cell is not None)


def _reference_list(row: Row) -> ReferenceList:
    return ReferenceList(
        id=row["id"],
        definition=ListDefinition.of(row["name"], row["columns"], row["key_column"]),
        description=row["description"],
        version=row["version"],
        row_count=row["row_count"],
        size_bytes=row["size_bytes"],
        content_hash=row["content_hash"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _row_change(row: Row) -> RowChange:
    before, after = (
        None
        if row[f"{side}_cells"] is None
        else ListRow(row["key"], tuple(row[f"{side}_cells"]), row[f"{side}_expires_at"])
        for side in ("old", "new")
    )
    return RowChange(row["key"], before, after)
