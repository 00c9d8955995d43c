"""How many events a tenant may send: a sliding window of a minute in Redis, by the library `limits`."""

from __future__ import annotations

import math
from urllib.parse import quote

from limits import RateLimitItemPerMinute
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from sentinel.clock import utc_now
from sentinel.errors import StoreUnavailableError
from sentinel.settings import RedisSettings


class RateLimiter:
    """Counts what each tenant sends. Without Redis each process counts for itself, if it is asked to."""

    def __init__(self, settings: RedisSettings, *, per_minute: int) -> None:
        password = settings.password.get_secret_value()
        login = f":{quote(password, safe='')}@" if password else ""
        self._storage = RedisStorage(
            f"redis://{login}{settings.host}:{settings.port}/{settings.database}",
            wrap_exceptions=True,
            key_prefix="limits",
            socket_timeout=settings.timeout_seconds,
            socket_connect_timeout=settings.timeout_seconds,
        )
        self._shared = SlidingWindowCounterRateLimiter(self._storage)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._limit = RateLimitItemPerMinute(per_minute) if per_minute else None

    @property
    def per_minute(self) -> int:
        """The limit; 0: there is none."""
        return self._limit.amount if self._limit else 0

    def wait_seconds(self, tenant_id: str, count: int, *, own: bool = False) -> float:
        """Count events, and return 0; or, where they are too many now, count none and return when to come back.

        Args:
            count: At most the limit.
            own: Count in this process alone.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        if self._limit is None:
            return 0.0
        limiter = self._own if own else self._shared
        try:
            if limiter.hit(self._limit, tenant_id, cost=count):
                return 0.0
            reset = limiter.get_window_stats(self._limit, tenant_id).reset_time
        except (StorageError, RedisError) as error:
            raise StoreUnavailableError("Redis", str(error.__cause__ or error)) from error
        return min(60.0, max(1.0, math.ceil(reset - utc_now().timestamp())))
