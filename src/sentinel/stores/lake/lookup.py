"""Find one event in the lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from sentinel.clock import monotonic_seconds
from sentinel.domain.event_schema import FieldType
from sentinel.errors import InvalidError, StoreUnavailableError, TooBroadError
from sentinel.settings import LakeSettings
from sentinel.stores.lake.location import events_uri, storage_options

_PLACE = ("_generation_id", "_partition", "_offset")
SEARCH_SECONDS = 20.0
# The same event id may have come more often than this; one of them is explained, the newest of those.
_MOST = 100


def row_at_place(
    lake: LakeSettings, tenant_id: str, pipeline_id: int, place: tuple[int, int], check: Callable[[], None]
) -> pa.Table | None:
    """Return the row of a record, given by partition and offset; of several source epochs the newest.

    The statistics in the table's log leave one or two files to be read.

    Args:
        check: Called now and then; ends the search by raising.

    Raises:
        StoreUnavailableError: The lake does not answer.
    """
    partition, offset = place
    condition = (ds.field("_partition") == partition) & (ds.field("_offset") == offset)
    with _dataset(lake, tenant_id, pipeline_id) as dataset:
        return None if dataset is None else _newest(dataset, condition, None, check)
    return None


def row_of_event(
    lake: LakeSettings,
    tenant_id: str,
    pipeline_id: int,
    event_id: str,
    *,
    column: str,
    kind: FieldType,
    check: Callable[[], None],
) -> pa.Table | None:
    """Return the newest row of an event id. None: it is not in the lake.

    Reads the column of the ids, as far as the statistics do not tell where they are, and then the one row.

    Args:
        column: Where the lake keeps the id field.
        check: As in `row_at_place`.

    Raises:
        InvalidError: Events cannot be looked up by ids of this type.
        TooBroadError: It takes too long.
        StoreUnavailableError: The lake does not answer.
    """
    wanted = _value_of(event_id, kind)
    if wanted is None:
        return None
    deadline = monotonic_seconds() + SEARCH_SECONDS

    def check_time() -> None:
        check()
        if monotonic_seconds() > deadline:
            raise TooBroadError(
                f"no event {event_id[:200]!r} among the ids read in {SEARCH_SECONDS:g} s; name the place of "
                "its record as partition:offset, which is found at once"
            )

    with _dataset(lake, tenant_id, pipeline_id) as dataset:
        if dataset is None or column not in dataset.schema.names:
            return None
        place = _newest(dataset, ds.field(column) == wanted, list(_PLACE), check_time)
        if place is None:
            return None
        (found,) = place.to_pylist()
        condition = (
            (ds.field("_partition") == found["_partition"])
            & (ds.field("_offset") == found["_offset"])
            & (ds.field("_generation_id") == found["_generation_id"])
        )
        return _newest(dataset, condition, None, check)
    return None


def _value_of(event_id: str, kind: FieldType) -> str | int | None:
    """Return an id as the column holds it; None: no event has it."""
    if str(kind) == "string":
        return event_id
    if str(kind) != "integer":
        raise InvalidError(f"the event id is of type {kind}, which is not looked for; name its place: partition:offset")
    try:
        number = int(event_id)
    except ValueError:
        return None
    return number if -(2**63) <= number < 2**63 and str(number) == event_id else None


@contextmanager
def _dataset(lake: LakeSettings, tenant_id: str, pipeline_id: int) -> Iterator[ds.Dataset | None]:
    """Open the table of a pipeline; None: there is none yet. Errors of the lake are translated within."""
    try:
        uri = events_uri(lake, tenant_id, pipeline_id)
        try:
            table = DeltaTable(uri, storage_options=storage_options(lake) or None)
        except TableNotFoundError:
            yield None
            return
        yield table.to_pyarrow_dataset()
    except (DeltaError, OSError) as error:
        raise StoreUnavailableError("the lake", str(error).splitlines()[0]) from error


def _newest(
    dataset: ds.Dataset, condition: ds.Expression, columns: list[str] | None, check: Callable[[], None]
) -> pa.Table | None:
    found: list[pa.RecordBatch] = []
    for batch in dataset.scanner(columns=columns, filter=condition).to_batches():
        check()
        if batch.num_rows:
            found.append(batch)
        if sum(each.num_rows for each in found) >= _MOST:
            break
    if not found:
        return None
    order = [("_generation_id", "descending"), ("_partition", "ascending"), ("_offset", "descending")]
    return pa.Table.from_batches(found).sort_by(order).slice(0, 1)
