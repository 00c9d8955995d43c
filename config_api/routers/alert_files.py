"""Alerts as a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from config_api.alert_filters import WantedAlerts
from config_api.dependencies import Looking
from config_api.schemas.problems import problems
from sentinel.domain.alert import AlertPage
from sentinel.ops.alert_csv import heading, lines_of
from sentinel.wiring import Backend

router = APIRouter(prefix="/api", tags=["alerts"])

_PAGE = 1000
_HEADERS = {"Content-Disposition": 'attachment; filename="alerts.csv"', "X-Content-Type-Options": "nosniff"}


@router.get(
    "/alerts.csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **problems()},
)
def export_alerts(
    request: Request,
    caller: Looking,
    wanted: WantedAlerts,
    limit: Annotated[int | None, Query(ge=1, le=10_000_000, description="At most so many; default: all.")] = None,
) -> StreamingResponse:
    """All alerts that fit, newest first, as CSV: a heading, then a row each (RFC 4180, UTF-8).

    Cells that a spreadsheet would compute begin with an apostrophe. The file is sent while it is read, page by page, so
    its length is not known before; an error in the middle breaks the connection off, so that what came is not taken for
    all. Alerts that are raised meanwhile are not in it.
    """
    backend: Backend = request.app.state.backend

    def page(before: int | None, most: int) -> AlertPage:
        # A transaction each: whoever reads slowly holds no connection to the database.
        with backend.unit(caller.tenant_id, caller.name) as unit:
            return unit.alerts.page(wanted, before=before, limit=most)

    def content() -> Iterator[bytes]:
        yield heading()
        found, left = first, limit
        while True:
            if found.alerts:
                yield lines_of(found.alerts)
            left = None if left is None else left - len(found.alerts)
            if found.next_before is None or left == 0:
                return
            found = page(found.next_before, _page_size(left))

    # Before anything is sent, so that what is wrong is answered as a problem.
    first = page(None, _page_size(limit))
    return StreamingResponse(content(), 200, _HEADERS, "text/csv; charset=utf-8; header=present")


def _page_size(left: int | None) -> int:
    return _PAGE if left is None else min(_PAGE, left)
