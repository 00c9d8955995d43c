"""What a query calls the tables of a tenant. Apart from `tables`, whose libraries take 60 MB."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sentinel.errors import NotFoundError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_NAMES = re.compile(r"events(_\d+)?", re.IGNORECASE)


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
