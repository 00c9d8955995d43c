"""The stand-in of Stripe's API and the backfill's requests, held against what Stripe publishes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from sentinel.domain.webhook_backfill import BackfillRange
from sentinel.errors import ConflictError
from sentinel.ingest.webhooks.stripe_events import StripeEvents
from sentinel.testing.http import serve
from tests.support.stripe_api import API_KEY, StripeApi, stripe_event
from tests.support.stripe_contract import misfits, request_misfits

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
def account() -> StripeApi:
    return StripeApi([stripe_event(number, int(END.timestamp()) - 60 - number) for number in range(120)])


@pytest.fixture
def url(account: StripeApi) -> Iterator[str]:
    with serve(account.app) as address:
        yield address


class TestBackfill:
    @pytest.mark.parametrize("only_failed", [True, False])
    def test_its_requests_and_the_pages_are_as_published(self, account: StripeApi, url: str, only_failed: bool) -> None:
        events = StripeEvents(url)
        wanted = BackfillRange(START, END, only_failed=only_failed, cursor=None)
        first = events.page(API_KEY, wanted)
        second = events.page(API_KEY, BackfillRange(START, END, only_failed=only_failed, cursor=first.last_id))
        events.close()
        assert (len(first.events), len(second.events), second.has_more) == (100, 20, False)
        assert account.misfits == []

    def test_errors_are_as_published(self, account: StripeApi, url: str) -> None:
        events = StripeEvents(url)
        for key, cursor in (("rk_test_anotheraccountskey", None), (API_KEY, "evt_gone")):
            with pytest.raises(ConflictError):
                events.page(key, BackfillRange(START, END, only_failed=True, cursor=cursor))
        events.close()
        assert account.misfits == []
        assert len(account.requests) == 2


class TestContract:
    def test_a_request_that_stripe_does_not_know_is_noticed(self, account: StripeApi, url: str) -> None:
        answer = httpx.get(f"{url}/v1/events", params={"since": "1", "limit": "1000"}, headers={"Authorization": "x"})
        assert answer.status_code == 401
        assert len(account.misfits) == 3

    @pytest.mark.parametrize(
        "change",
        [{"id": 7}, {"created": "1"}, {"data": {}}, {"type": None}, {"failed": True}, {"request": {"id": 1}}],
        ids=lambda change: next(iter(change)),
    )
    def test_an_event_that_is_none_is_noticed(self, change: dict[str, Any]) -> None:
        event = {name: value for name, value in stripe_event(1, 1).items() if name != "failed"}
        assert misfits("event", event) == []
        assert len(misfits("event", {**event, **change})) == 1

    @pytest.mark.parametrize("name", ["created", "data", "id", "livemode", "object", "pending_webhooks", "type"])
    def test_what_is_required_is_missed(self, name: str) -> None:
        event = {key: value for key, value in stripe_event(1, 1).items() if key not in ("failed", name)}
        assert len(misfits("event", event)) == 1

    def test_an_error_holds_no_null(self) -> None:
        assert misfits("error", {"error": {"type": "api_error", "message": "x"}}) == []
        assert len(misfits("error", {"error": {"type": "api_error", "param": None}})) == 1
        assert len(misfits("error", {"error": {"type": "rate_limit_error"}})) == 1

    @pytest.mark.parametrize(
        "parameters", [{"limit": "0"}, {"limit": "101"}, {"delivery_success": "no"}, {"created[eq]": "1"}]
    )
    def test_parameters_have_bounds(self, parameters: dict[str, str]) -> None:
        assert len(request_misfits(parameters, "Bearer x")) == 1
        assert request_misfits({"limit": "100", "created[gte]": "1", "types[0]": "charge.failed"}, "Bearer x") == []
