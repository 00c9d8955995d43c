"""Use cases on the lake: which tables a tenant may query, and what is in them."""

from __future__ import annotations

from sentinel.domain.lake_table import LakeTable, lake_columns
from sentinel.stores.lake.names import table_names
from sentinel.stores.lake_tables import LakeTableReader


class LakeCatalog:
    """The lake tables of one tenant."""

    def __init__(self, tables: LakeTableReader) -> None:
        self._tables = tables

    def names(self, pipeline_id: int | None = None) -> dict[str, int]:
        """Return table name -> pipeline id, of all that a query may name.

        Args:
            pipeline_id: The pipeline that `events` names, too.

        Raises:
            NotFoundError: There is no such pipeline.
        """
        return table_names(self._tables.pipelines(), pipeline_id)

    def tables(self, *, after: int = 0, limit: int = 50) -> list[LakeTable]:
        """Return the tables of pipelines by their ids.

        Args:
            after: Only of pipelines with a higher id.
        """
        pipelines = self._tables.pipelines()
        names = table_names(pipelines, None)
        chosen = [(identity, name) for identity, name in pipelines if identity > after][:limit]
        ids = [identity for identity, _ in chosen]
        histories = self._tables.histories(ids)
        archived = self._tables.archived_at(ids)
        return [
            LakeTable(
                pipeline_id=identity,
                pipeline_name=name,
                names=tuple(table for table, owner in names.items() if owner == identity),
                columns=lake_columns(histories[identity]),
                archived_at=archived.get(identity),
            )
            for identity, name in chosen
        ]
