"""Calls that ask for figures over time."""

from __future__ import annotations

from sentinel.client.models.events import RecentRecord
from sentinel.client.models.figures import Figures, History
from sentinel.client.transport import Transport


class FigureCalls(Transport):
    """Part of the client."""

    def figures(self, *, hours: int = 24) -> Figures:
        """Return the tenant's figures of a period that ends now, beside those of the period before."""
        return Figures.model_validate(self._get("/api/figures", hours=hours).json())

    def history(self, pipeline_id: int, *, hours: int = 24) -> History:
        """Return throughput, lag, alerts and their delay of a pipeline over time."""
        return History.model_validate(self._get(f"/api/pipelines/{pipeline_id}/history", hours=hours).json())

    def recent_records(self, pipeline_id: int, *, limit: int = 25) -> list[RecentRecord]:
        """Return the newest records of a pipeline's topic, newest first.

        Raises:
            NotFoundError: There is no such topic yet.
            StoreUnavailableError: Kafka does not answer.
        """
        found = self._get(f"/api/pipelines/{pipeline_id}/recent-records", limit=limit).json()
        return [RecentRecord.model_validate(each) for each in found]
