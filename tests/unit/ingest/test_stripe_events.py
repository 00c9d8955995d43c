"""Pages of Stripe's events, read without changing a character."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.errors import ConfigurationError
from sentinel.ingest.webhooks.stripe_events import StripeEvents, _read

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


class TestRead:
    @given(
        events=st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=3),
        around=st.dictionaries(TEXTS.filter(lambda name: name not in {"data", "has_more"}), VALUES, max_size=2),
        indent=st.sampled_from([None, 0, 3]),
        has_more=st.booleans(),
    )
    def test_each_event_is_a_piece_of_the_text(
        self, events: list[dict[str, object]], around: dict[str, object], indent: int | None, has_more: bool
    ) -> None:
        text = json.dumps({**around, "data": events, "has_more": has_more}, indent=indent)
        page = _read(text)
        assert [json.loads(event) for event in page.events] == events
        assert all(event.decode() in text for event in page.events)
        assert page.has_more is has_more

    def test_spaces_and_numbers_stay_as_they_are(self) -> None:
        page = _read('{ "has_more" :false, "data":[ {"id" : "evt_1",\t"n": 1.50e3} , {"id":"evt_2"}\n]}')
        assert page.events == [b'{"id" : "evt_1",\t"n": 1.50e3}', b'{"id":"evt_2"}']
        assert page.last_id == "evt_2"

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "{}", '{"data": []}', '{"data": [1}', '{"data": [], "has_more": 1}', '{"data": {}, "has_more": 1}',
         '{"data": [{}] "has_more": true}', '{"has_more": false, "data": [{"id": "evt'],
    )  # fmt: skip
    def test_what_is_no_page_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            _read(text)


class TestAddress:
    @pytest.mark.parametrize(
        "address",
        ["", "api.stripe.com", "http://api.stripe.com", "ftp://127.0.0.1", "https://", "http://localhost.evil.example"],
    )
    def test_a_key_goes_nowhere_in_clear(self, address: str) -> None:
        with pytest.raises(ConfigurationError, match="STRIPE_API_BASE"):
            StripeEvents(address)

    @pytest.mark.parametrize(
        "address", ["https://api.stripe.com", "https://mock.example:12112/", "http://127.0.0.1:12111"]
    )
    def test_stripe_and_a_local_stand_in_will_do(self, address: str) -> None:
        StripeEvents(address).close()
