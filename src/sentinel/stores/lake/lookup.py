"""Find one event in the lake."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from sentinel.domain.event_schema import FieldType
from sentinel.errors import InvalidError, StoreUnavailableError
from sentinel.settings import LakeSettings
from sentinel.stores.lake.location import events_uri, storage_options

_INTEGER, _STRING = "integer", "string"
# The same event id may have come more often than this; one of them is explained, the newest of those.
_MOST = 100


def row_at_place(lake: LakeSettings, tenant_id: str, pipeline_id: int, partition: int, offset: int) -> pa.Table | None:
    """Return the row of a record; of several source epochs the newest. None: it is not in the lake.

    The statistics in the table's log leave one or two files to be read.

    Raises:
        StoreUnavailableError: The lake does not answer.
    """
    return _newest(
        lake, tenant_id, pipeline_id, (ds.field("_partition") == partition) & (ds.field("_offset") == offset)
    )


def row_of_event(
    lake: LakeSettings, tenant_id: str, pipeline_id: int, *, column: str, kind: FieldType, event_id: str
) -> pa.Table | None:
    """Return the newest row of an event id. None: it is not in the lake.

    Reads the column of the ids, as far as the statistics do not tell where they are.

    Args:
        column: Where the lake keeps the id field.

    Raises:
        InvalidError: Events cannot be looked up by ids of this type.
        StoreUnavailableError: The lake does not answer.
    """
    if str(kind) == _STRING:
        return _newest(lake, tenant_id, pipeline_id, ds.field(column) == event_id)
    if str(kind) != _INTEGER:
        raise InvalidError(f"the event id is of type {kind}, which is not looked for; name its place: partition:offset")
    try:
        number = int(event_id)
    except ValueError:
        return None
    if not -(2**63) <= number < 2**63 or str(number) != event_id:
        return None
    return _newest(lake, tenant_id, pipeline_id, ds.field(column) == number)


def _newest(lake: LakeSettings, tenant_id: str, pipeline_id: int, condition: ds.Expression) -> pa.Table | None:
    try:
        uri = events_uri(lake, tenant_id, pipeline_id)
        dataset = DeltaTable(uri, storage_options=storage_options(lake) or None).to_pyarrow_dataset()
        found = dataset.head(_MOST, filter=condition)
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise StoreUnavailableError("the lake", str(error).splitlines()[0]) from error
    if found.num_rows == 0:
        return None
    newest = found.sort_by([("_generation_id", "descending"), ("_partition", "ascending"), ("_offset", "descending")])
    return newest.slice(0, 1)
