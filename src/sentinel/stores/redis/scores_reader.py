"""Reads scores from Redis for whatever pipeline is asked about."""

from __future__ import annotations

import redis

from sentinel.settings import RedisSettings
from sentinel.stores.redis.scores import ScoreStore


class RedisScoreReader:
    """Event scores of all tenants; the key templates keep them apart."""

    def __init__(self, client: redis.Redis, settings: RedisSettings) -> None:
        self._client = client
        self._settings = settings

    def event_score(self, tenant_id: str, pipeline_id: int, event_id: str) -> int | None:
        """Return an event's score, None where there is none (any more).

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        return ScoreStore(self._client, self._settings, tenant_id, pipeline_id).event_score(event_id)
