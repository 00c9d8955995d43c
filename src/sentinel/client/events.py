"""The calls that send events, and that say where they go."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Sequence
from urllib.parse import quote

from sentinel.client import models
from sentinel.client.transport import Transport


class EventCalls(Transport):
    """Part of the client."""

    def send_events(self, lines: Sequence[bytes], *, pipeline: str | int | None = None) -> models.EventsTaken:
        """Send events; each of them is answered by itself.

        Args:
            lines: JSON objects, each without a line break in it.
            pipeline: By id or name; None: each event's `type` says.

        Raises:
            RateLimitedError: Too many; none of these was taken.
            StoreUnavailableError: The broker is away. Sending all of them again is harmless where they have ids.
        """
        headers = {
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
            "Idempotency-Key": uuid.uuid4().hex,
        }
        if pipeline is not None:
            headers["X-Sentinel-Pipeline"] = str(pipeline)
        body = gzip.compress(b"\n".join(lines), compresslevel=1)
        return models.EventsTaken.model_validate(self._request("POST", "/events", content=body, headers=headers).json())

    def list_event_routes(self) -> list[models.EventRoute]:
        """Return all routes, by event type."""
        return [models.EventRoute.model_validate(item) for item in self._get("/api/event-routes").json()]

    def put_event_route(self, event_type: str, pipeline_id: int) -> models.EventRoute:
        """Send events of a type, or with `*` at its end of all that begin so, to a pipeline."""
        answer = self._send("PUT", f"/api/event-routes/{quote(event_type)}", {"pipeline_id": pipeline_id})
        return models.EventRoute.model_validate(answer.json())

    def remove_event_route(self, event_type: str) -> models.EventRoute:
        """Forget a route."""
        answer = self._send("DELETE", f"/api/event-routes/{quote(event_type)}", {})
        return models.EventRoute.model_validate(answer.json())
