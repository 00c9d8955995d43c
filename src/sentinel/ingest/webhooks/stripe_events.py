"""Lists events through Stripe's API, by Stripe's own library.

`GET /v1/events`: newest first, pages of up to 100 by `starting_after` and `has_more`; `delivery_success=false` are
those with a delivery that is pending or failed; 30 days back (https://docs.stripe.com/api/events/list).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any
from urllib.parse import urlsplit

import stripe

from sentinel.domain.webhook_backfill import BackfillRange
from sentinel.errors import ConfigurationError, ConflictError, RateLimitedError, StoreUnavailableError

PAGE = 100
TIMEOUT_SECONDS = 10.0
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
_DEFAULT_RETRY_SECONDS = 1.0


class CursorGoneError(ConflictError):
    """The event that a page was to begin after is not there any more."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of events.

    Attributes:
        events: Each as the API gave it, character by character, newest first.
        last_id: Of the last one; None: there is none, or it has no id.
    """

    events: Sequence[bytes]
    last_id: str | None
    has_more: bool


class StripeEvents:
    """Lists events. Safe for many threads.

    Raises:
        ConfigurationError: The address is none that a key may be sent to.
    """

    def __init__(self, api_base: str) -> None:
        parts = urlsplit(api_base)
        is_local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if not parts.hostname or parts.scheme not in {"https", "http"} or (parts.scheme == "http" and not is_local):
            raise ConfigurationError(
                f"SENTINEL_WEBHOOKS__STRIPE_API_BASE is {api_base!r}; it must begin with https:// and name a host"
            )
        self._api_base = api_base.rstrip("/")
        self._http: stripe.HTTPXClient | None = None
        # Nothing of this machine is told with a request.
        stripe.enable_telemetry = False

    def page(self, api_key: str, wanted: BackfillRange) -> EventPage:
        """Return the page after the cursor. One request; nothing is tried again here.

        Raises:
            ConflictError: Stripe refuses the key, or what is asked for.
            CursorGoneError: It does not know the event of the cursor.
            RateLimitedError: It asks for patience.
            StoreUnavailableError: It does not answer, or answers what is no page.
        """
        if self._http is None:
            self._http = stripe.HTTPXClient(timeout=TIMEOUT_SECONDS, allow_sync_methods=True)
        client = stripe.StripeClient(
            api_key, base_addresses={"api": self._api_base}, max_network_retries=0, http_client=self._http
        )
        created = {"gte": int(wanted.start.timestamp()), "lte": int(wanted.end.timestamp())}
        parameters: dict[str, Any] = {"limit": PAGE, "created": created}
        if wanted.only_failed:
            parameters["delivery_success"] = "false"
        if wanted.cursor is not None:
            parameters["starting_after"] = wanted.cursor
        try:
            answer = client.raw_request("get", "/v1/events", **parameters)
        except stripe.StripeError as error:
            raise _translated(error, wanted) from None
        try:
            return _read(answer.body)
        except (ValueError, RecursionError) as error:
            raise StoreUnavailableError("Stripe", f"its answer is no list of events: {error}") from None

    def close(self) -> None:
        """Leave."""
        if self._http is not None:
            self._http.close()  # type: ignore[no-untyped-call]


def _translated(error: stripe.StripeError, wanted: BackfillRange) -> Exception:
    """Return our error. Stripe's own text is left out where it repeats a part of the key."""
    # By the status as well: whoever stands before Stripe may answer without an error that the library knows.
    if isinstance(error, stripe.RateLimitError) or error.http_status == 429:
        return RateLimitedError("Stripe asks for patience", retry_after_seconds=_retry_after(error))
    if isinstance(error, stripe.AuthenticationError) or error.http_status == 401:
        return ConflictError("Stripe does not accept the restricted key of the source (401); store another one")
    if isinstance(error, stripe.PermissionError) or error.http_status == 403:
        return ConflictError(
            "the restricted key of the source may not read events (403); give it the permission to read Events in "
            "Stripe's dashboard, or store another one"
        )
    if isinstance(error, stripe.InvalidRequestError):
        if wanted.cursor is not None and error.param == "starting_after":
            return CursorGoneError(f"Stripe does not know the event {wanted.cursor!r} any more")
        return ConflictError(f"Stripe refuses what is asked for ({error.http_status}, {error.code or 'no code'})")
    status = f"HTTP {error.http_status}" if error.http_status else type(error).__name__
    return StoreUnavailableError("Stripe", status)


def _retry_after(error: stripe.StripeError) -> float:
    """Return the seconds of `Retry-After`; its other form, a date, is not used by Stripe."""
    found = (error.headers or {}).get("retry-after", "")
    return float(found) if re.fullmatch(r"[0-9]{1,6}", found) else _DEFAULT_RETRY_SECONDS


def _read(text: str) -> EventPage:
    """Read a page, each event as the text that it is.

    Raises:
        ValueError: It is none.
    """
    events: list[bytes] = []
    last: Any = None
    has_more: Any = None
    for name, start in _members(text):
        if name == "data":
            for item, first, end in _items(text, start):
                last = item
                events.append(text[first:end].encode())
        elif name == "has_more":
            has_more = _DECODER.raw_decode(text, start)[0]
    if has_more is not True and has_more is not False:
        raise ValueError("it has no has_more")
    last_id = last.get("id") if isinstance(last, dict) else None
    return EventPage(events, last_id if isinstance(last_id, str) else None, has_more)


def _members(text: str) -> Iterator[tuple[str, int]]:
    """Yield the names of a JSON object's members with the places of their values."""
    at = _expect(text, _skip(text, 0), "{")
    while True:
        at = _expect(text, _skip(text, at), '"')
        name, at = scanstring(text, at, True)
        at = _skip(text, _expect(text, _skip(text, at), ":"))
        yield name, at
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
        if text[at : at + 1] != ",":
            _expect(text, at, "}")
            return
        at += 1


def _items(text: str, at: int) -> Iterator[tuple[Any, int, int]]:
    """Yield the values of a JSON array, each with its first character and the one after its last."""
    at = _skip(text, _expect(text, at, "["))
    if text[at : at + 1] == "]":
        return
    while True:
        first = _skip(text, at)
        value, at = _DECODER.raw_decode(text, first)
        yield value, first, at
        at = _skip(text, at)
        if text[at : at + 1] != ",":
            _expect(text, at, "]")
            return
        at += 1


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _expect(text: str, at: int, letter: str) -> int:
    if text[at : at + 1] != letter:
        raise ValueError(f"{letter!r} is missing at character {at}")
    return at + 1
