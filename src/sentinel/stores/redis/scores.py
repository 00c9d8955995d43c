"""Scores in Redis: absolute values with a time to live, always rebuildable from PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping

import redis
from redis.exceptions import RedisError, WatchError

from sentinel.errors import StoreUnavailableError
from sentinel.settings import RedisSettings


def connect(settings: RedisSettings) -> redis.Redis:
    """Return a client with timeouts; connects when first used."""
    return redis.Redis(
        host=settings.host,
        port=settings.port,
        db=settings.database,
        password=settings.password.get_secret_value() or None,
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=settings.timeout_seconds,
        decode_responses=True,
    )


class ScoreStore:
    """The scores of one pipeline.

    Keys come from the templates in `RedisSettings`. `position` is the id of the newest alert whose scores are
    written; it lives in Redis itself, so a Redis that lost its data says so by having none.
    """

    def __init__(self, client: redis.Redis, settings: RedisSettings, tenant_id: str, pipeline_id: int) -> None:
        self._client = client
        self._settings = settings
        self._names = {"tenant_id": tenant_id, "pipeline_id": pipeline_id}
        self._position_key = f"{tenant_id}:{pipeline_id}:position"

    def event_key(self, event_id: str) -> str:
        """Return the key of an event's score."""
        return self._settings.event_score_key.format(**self._names, event_id=event_id)

    def entity_key(self, field: str, value: str) -> str:
        """Return the key of an entity's score."""
        return self._settings.entity_score_key.format(**self._names, field=field, value=value)

    def position(self) -> int:
        """Return the id of the newest alert whose scores are here; 0: none.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        try:
            return int(self._client.get(self._position_key) or 0)
        except RedisError as error:
            raise StoreUnavailableError("Redis", str(error)) from error

    def write(
        self,
        events: Mapping[str, int],
        entities: Mapping[tuple[str, str], int],
        *,
        position: int | None,
        after: int | None = None,
    ) -> bool:
        """Set scores (0..100) of events and entities and the position, all or nothing.

        Args:
            after: Only where this is still the position: a Redis that lost its data since it was read would otherwise
                be told a position whose scores it does not have.

        Returns:
            Whether they were written.

        Raises:
            StoreUnavailableError: Redis does not answer; repeat it.
        """
        ttl = self._settings.score_ttl_seconds
        try:
            with self._client.pipeline(transaction=True) as pipe:
                if after is not None:
                    pipe.watch(self._position_key)  # type: ignore[no-untyped-call]
                    if int(pipe.get(self._position_key) or 0) != after:
                        return False
                    pipe.multi()
                for event_id, score in events.items():
                    pipe.set(self.event_key(event_id), score, ex=ttl)
                for (field, value), score in entities.items():
                    pipe.set(self.entity_key(field, value), score, ex=ttl)
                if position is not None:
                    pipe.set(self._position_key, position)
                pipe.execute()
        except WatchError:
            return False
        except RedisError as error:
            raise StoreUnavailableError("Redis", str(error)) from error
        return True

    def write_clean(self, event_ids: list[str]) -> None:
        """Set the score 0 of events without a match, unless they have a score already.

        Raises:
            StoreUnavailableError: Redis does not answer; repeat it.
        """
        try:
            with self._client.pipeline(transaction=False) as pipe:
                for event_id in event_ids:
                    pipe.set(self.event_key(event_id), 0, ex=self._settings.score_ttl_seconds, nx=True)
                pipe.execute()
        except RedisError as error:
            raise StoreUnavailableError("Redis", str(error)) from error

    def read(self, keys: list[str]) -> list[int | None]:
        """Return the scores under these keys, None where there is none.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        try:
            found = self._client.mget(keys) if keys else []
        except RedisError as error:
            raise StoreUnavailableError("Redis", str(error)) from error
        return [None if value is None else int(value) for value in found]

    def event_score(self, event_id: str) -> int | None:
        """Return the score of an event, None where there is none.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        try:
            found = self._client.get(self.event_key(event_id))
        except RedisError as error:
            raise StoreUnavailableError("Redis", str(error)) from error
        return None if found is None else int(found)
