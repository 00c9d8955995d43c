"""What a rule that is explained or tested may name: other rules and lists, in the versions that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame

from sentinel.domain.reference_list import PinnedList
from sentinel.rules.explanation.tree import Part
from sentinel.rules.known import KnownNames
from sentinel.rules.lookups import LookupColumn
from sentinel.stores.postgres.archive_ledger import GenerationForm
from sentinel.stores.postgres.explain_reader import ExplainReader
from sentinel.stores.postgres.lists import ListSnapshotStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.engine_task import TaskContext
from sentinel.streaming.query.lookups import Lookups, LookupTables


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The names that mean something, and where the rows of lists come from.

    Attributes:
        lists: The versions of lists that are read.
    """

    known: KnownNames
    lists: tuple[PinnedList, ...]
    tables: LookupTables

    def versions_of(self, names: Sequence[str]) -> dict[str, int]:
        """Return the versions of lists."""
        return {pinned.definition.name: pinned.version for pinned in self.lists if pinned.definition.name in names}

    def looked_up(self, events: DataFrame, needed: Part | tuple[LookupColumn, ...]) -> DataFrame:
        """Add the columns of lists that a rule needs.

        Raises:
            StoreUnavailableError: The rows cannot be read now.
        """
        columns = needed.lookups if isinstance(needed, Part) else needed
        return Lookups(columns, self.lists, self.tables).add_to(events)


def surroundings_of(context: TaskContext, reader: ExplainReader, form: GenerationForm | None) -> Surroundings:
    """Return what counted for the events of a generation, and what is published now beside it; None: only that."""
    conditions = {name: version.condition for name, version in reader.references().items()}
    lists = reader.lists()
    if form is not None:
        snapshots = SnapshotStore(context.database, context.tenant_id)
        rule_set = snapshots.at(context.pipeline_id, form.schema_version, form.rule_set_version).rule_set
        conditions |= KnownNames.of(rule_set).conditions
        lists |= {pinned.definition.name: pinned for pinned in rule_set.lists}
    known = KnownNames(conditions, tables=tuple(pinned.definition for pinned in lists.values()))
    tables = LookupTables(ListSnapshotStore(context.database, context.tenant_id))
    return Surroundings(known, tuple(lists.values()), tables)
