"""The lake's tables as a query names them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from sentinel.errors import NotFoundError, StoreUnavailableError
from sentinel.settings import LakeSettings
from sentinel.stores.lake.location import events_uri, storage_options

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_NAMES = re.compile(r"events(_\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TableSize:
    """How much a table holds."""

    rows: int
    bytes: int
    files: int


def table_names(pipelines: Sequence[tuple[int, str]], chosen: int | None) -> dict[str, int]:
    """Return table name -> pipeline id: `events_<id>`, the pipeline's name where it is a plain identifier.

    A name that two pipelines share without regard to case, or that reads like another table, names neither.

    Args:
        pipelines: Id and name of each pipeline of the tenant.
        chosen: The pipeline that `events` names, too.

    Raises:
        NotFoundError: The chosen one is not among them.
    """
    names = {f"events_{pipeline_id}": pipeline_id for pipeline_id, _ in pipelines}
    lowered = [name.lower() for _, name in pipelines]
    for pipeline_id, name in pipelines:
        if _IDENTIFIER.fullmatch(name) and not _OWN_NAMES.fullmatch(name) and lowered.count(name.lower()) == 1:
            names[name.lower()] = pipeline_id
    if chosen is not None:
        if chosen not in names.values():
            raise NotFoundError(f"there is no pipeline {chosen}")
        names["events"] = chosen
    return names


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
