"""A stand-in for Stripe's API: `GET /v1/events` as its published OpenAPI describes it."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.stripe_contract import answer_misfits, request_misfits

API_KEY = "rk_test_51NqXyZ2eZvKYlo2Cabcdefgh"
PARAMETERS = {"created[gte]", "created[lte]", "delivery_success", "limit", "starting_after"}


class StripeApi:
    """Events of one account.

    What comes and what is answered is held against what Stripe publishes (`stripe_contract`), but for `troubles`.

    Attributes:
        events: Newest first. One with `failed` is listed by `delivery_success=false`; that member is not shown.
        troubles: Answers (status, headers, body) that are given first, one per request.
        requests: The parameters of each request.
        misfits: What of requests and answers is not as Stripe publishes it. To be empty at the end of a test.
    """

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.events = events
        self.troubles: deque[tuple[int, dict[str, str], bytes]] = deque()
        self.requests: list[dict[str, str]] = []
        self.misfits: list[str] = []
        self.indent: int | None = 2
        self.app = Starlette(routes=[Route("/v1/events", self._list)])

    async def _list(self, request: Request) -> Response:
        wanted = dict(request.query_params)
        self.requests.append(wanted)
        self.misfits += request_misfits(wanted, request.headers.get("authorization", ""))
        if self.troubles:
            status, headers, body = self.troubles.popleft()
            return Response(body, status, headers, "application/json")
        answer = self._answer(request, wanted)
        self.misfits += answer_misfits(answer.status_code, bytes(answer.body))
        return answer

    def _answer(self, request: Request, wanted: dict[str, str]) -> Response:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return _error(401, "Invalid API Key provided: rk_test_****wxyz")
        if unknown := wanted.keys() - PARAMETERS:
            return _error(400, f"Received unknown parameter: {unknown}", "parameter_unknown", unknown.pop())
        limit = int(wanted.get("limit", "10"))
        if not 1 <= limit <= 100:
            return _error(400, "Invalid integer", "parameter_invalid_integer", "limit")
        found = [
            event
            for event in self.events
            if int(wanted.get("created[gte]", 0)) <= event["created"] <= int(wanted.get("created[lte]", 2**40))
            and (wanted.get("delivery_success") != "false" or event["failed"])
        ]
        if (after := wanted.get("starting_after")) is not None:
            places = [place for place, event in enumerate(found) if event.get("id") == after]
            if not places:
                return _error(400, f"No such event: '{after}'", "resource_missing", "starting_after")
            found = found[places[0] + 1 :]
        shown = [{name: value for name, value in event.items() if name != "failed"} for event in found[:limit]]
        page = {"object": "list", "url": "/v1/events", "has_more": len(found) > limit, "data": shown}
        return Response(json.dumps(page, indent=self.indent), media_type="application/json")


def _error(status: int, message: str, code: str | None = None, param: str | None = None) -> Response:
    error = {"type": "invalid_request_error", "message": message, "code": code, "param": param}
    said = {name: value for name, value in error.items() if value is not None}
    return Response(json.dumps({"error": said}), status, media_type="application/json")


def stripe_event(number: int, created: int, *, failed: bool = True, **more: Any) -> dict[str, Any]:
    """Return an event of the account."""
    charge = {"object": "charge", "id": f"ch_{number}", "amount": 1000 + number, "currency": "usd", "customer": "cus_1"}
    return {
        "id": f"evt_{number}", "object": "event", "api_version": "2024-06-20", "created": created,
        "data": {"object": charge}, "livemode": False, "pending_webhooks": 0, "request": {"id": None},
        "type": "charge.failed", "failed": failed, **more,
    }  # fmt: skip
