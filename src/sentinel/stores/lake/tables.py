"""How much the tables of the lake hold."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from sentinel.errors import StoreUnavailableError
from sentinel.settings import LakeSettings
from sentinel.stores.lake.location import events_uri, storage_options


@dataclass(frozen=True, slots=True)
class TableSize:
    """How much a table holds."""

    rows: int
    bytes: int
    files: int


def describe_table(lake: LakeSettings, tenant_id: str, pipeline_id: int) -> TableSize | None:
    """Return how much the table of a pipeline holds by its log; None when there is none yet.

    Raises:
        StoreUnavailableError: The lake does not answer.
    """
    try:
        table = DeltaTable(events_uri(lake, tenant_id, pipeline_id), storage_options=storage_options(lake) or None)
        actions = pa.table(table.get_add_actions(flatten=True))
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise StoreUnavailableError("the lake", str(error).splitlines()[0]) from error
    return TableSize(
        rows=pc.sum(actions["num_records"]).as_py() or 0,
        bytes=pc.sum(actions["size_bytes"]).as_py() or 0,
        files=actions.num_rows,
    )
