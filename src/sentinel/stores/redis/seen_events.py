"""Which events and requests have been taken already, in Redis."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import redis
from redis.exceptions import RedisError

from sentinel.errors import StoreUnavailableError


@dataclass(frozen=True, slots=True)
class EventKey:
    """The identity of an event.

    Attributes:
        digest: Of its text: another one under the same id is another event.
    """

    pipeline_id: int
    event_id: str
    digest: str


def digest_of(text: str) -> str:
    """Return what tells two texts apart."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


class SeenEvents:
    """Remembers what each tenant has sent, for a while."""

    def __init__(self, client: redis.Redis, *, seconds: int) -> None:
        self._client = client
        self._seconds = seconds

    def known(self, tenant_id: str, keys: Sequence[EventKey]) -> list[str | None]:
        """Return the digest under which each event was taken; None for one that was not.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        if not keys:
            return []
        try:
            found = self._client.mget([_event_name(tenant_id, key) for key in keys])
        except RedisError as error:
            raise StoreUnavailableError("Redis", str(error)) from error
        return [None if digest is None else str(digest) for digest in found]

    def remember(self, tenant_id: str, keys: Iterable[EventKey]) -> None:
        """Note that events were taken.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        try:
            with self._client.pipeline(transaction=False) as commands:
                for key in keys:
                    commands.set(_event_name(tenant_id, key), key.digest, ex=self._seconds)
                commands.execute()
        except RedisError as error:
            raise StoreUnavailableError("Redis", str(error)) from error

    def answer(self, tenant_id: str, key: str) -> Mapping[str, Any] | None:
        """Return what was kept under an Idempotency-Key.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        try:
            kept = self._client.get(_request_name(tenant_id, key))
        except RedisError as error:
            raise StoreUnavailableError("Redis", str(error)) from error
        found: Mapping[str, Any] | None = json.loads(kept) if kept else None
        return found

    def keep_answer(self, tenant_id: str, key: str, answer: Mapping[str, Any]) -> None:
        """Keep an answer under an Idempotency-Key.

        Raises:
            StoreUnavailableError: Redis does not answer.
        """
        try:
            self._client.set(_request_name(tenant_id, key), json.dumps(answer), ex=self._seconds)
        except RedisError as error:
            raise StoreUnavailableError("Redis", str(error)) from error


def _event_name(tenant_id: str, key: EventKey) -> str:
    # Ids may be long, and hold anything.
    name = blake2b(key.event_id.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return f"{tenant_id}:{key.pipeline_id}:seen:{name}"


def _request_name(tenant_id: str, key: str) -> str:
    return f"{tenant_id}:request:{key}"
