"""The calls that count alerts, take them along as a file, and find what is about the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, BinaryIO

import httpx

from sentinel.client.models.base import Model, Severity
from sentinel.client.problems import refuse
from sentinel.client.transport import Transport
from sentinel.errors import StoreUnavailableError

# A search may look through very many alerts between two that fit.
_EXPORT_TIMEOUT = httpx.Timeout(30.0, read=600.0)


class FacetCount(Model):
    """How many alerts have a value: a word, a name, or an id as text; empty: nobody judged them."""

    value: str
    name: str
    pipeline_id: int | None
    count: int


class AlertFacets(Model):
    """How the alerts of a filter divide, each facet as if the filter said nothing of it.

    Attributes:
        since: Only alerts from then on were looked at, so each count is a lower bound; None: all were.
    """

    total: int
    looked_at: int
    since: datetime | None
    severity: list[FacetCount]
    status: list[FacetCount]
    pipeline: list[FacetCount]
    rule: list[FacetCount]
    disposition: list[FacetCount]
    source: list[FacetCount]
    detector: list[FacetCount]


class EntityScore(Model):
    """How suspicious an entity is, 0..100."""

    field: str
    value: str
    score: int
    critical_count: int
    warning_count: int
    info_count: int


class RelatedAlert(Model):
    """An alert about the same; `shared` are the fields in which it is."""

    id: int
    alert_timestamp: datetime
    severity: Severity
    score: int
    rule_id: int | None
    rule_name: str
    rule_description: str
    detector: str | None
    event_id: str
    status: str
    disposition: str | None
    shared: list[str]


class EntityHistory(Model):
    """Alerts about the same before and after one, nearest first, and the scores of its entities."""

    scores: list[EntityScore]
    before: list[RelatedAlert]
    after: list[RelatedAlert]
    searched_since: datetime | None
    searched_until: datetime | None


class AlertFindingCalls(Transport):
    """Part of the client."""

    def count_alerts(self, **wanted: Any) -> AlertFacets:
        """Return how the alerts that fit divide; the filter is that of `list_alerts`.

        Raises:
            TooBroadError: They were not counted in time.
        """
        return AlertFacets.model_validate(self._get("/api/alerts/facets", **_plain(wanted)).json())

    def entity_history(self, alert_id: int, *, limit: int = 10) -> EntityHistory:
        """Return what was raised about the same as an alert, up to `limit` on each side.

        Raises:
            NotFoundError: There is no such alert.
        """
        return EntityHistory.model_validate(self._get(f"/api/alerts/{alert_id}/entity-history", limit=limit).json())

    def export_alerts(
        self, out: BinaryIO, *, limit: int | None = None, tell: Callable[[int], None] | None = None, **wanted: Any
    ) -> int:
        """Write the CSV file of all alerts that fit, as the API sends it, and return its bytes.

        Args:
            limit: At most so many alerts.
            tell: Called with the bytes so far whenever some came.
            wanted: The filter, as of `list_alerts`.

        Raises:
            StoreUnavailableError: The API broke off; what was written is not all.
        """
        parameters = {**_plain(wanted), **({} if limit is None else {"limit": limit})}
        written = 0
        try:
            with self._http.stream("GET", "/api/alerts.csv", params=parameters, timeout=_EXPORT_TIMEOUT) as answer:
                if answer.is_error:
                    answer.read()
                refuse(answer)
                for part in answer.iter_bytes():
                    out.write(part)
                    written += len(part)
                    if tell is not None:
                        tell(written)
        except httpx.TransportError as error:
            reason = f"{error or type(error).__name__} at {self.base_url}, after {written:,} bytes of the file"
            raise StoreUnavailableError("the API", reason) from error
        return written


def _plain(wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in wanted.items()
        if value is not None
    }
