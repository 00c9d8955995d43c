"""Card transactions: an endless, seeded stream of events of about 330 bytes.

Event number n depends on the seed and n alone (and its time on `start` and `rate`), however the stream is cut: it
is drawn in blocks of `BLOCK` events, each from a random generator of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from sentinel.errors import InvalidError
from sentinel.workload.fraud import Draft, FraudMix, FraudPattern, overlay
from sentinel.workload.population import CATEGORIES, COUNTRIES, Population, build_population, random_ip

BLOCK = 512
_PATTERNS = (None, *FraudPattern)
_ENTRY_MODES = {"pos": ("chip", "contactless"), "online": ("online", "online"), "atm": ("chip", "chip")}


class Transaction(NamedTuple):
    """One transaction: the event as it is sent, and what it truly is (None: honest).

    A named tuple, since building one costs a third of a frozen dataclass and a load generator builds many.
    """

    event: dict[str, Any]
    label: FraudPattern | None


class CardTransactions:
    """An endless stream of card transactions, in order of their event time.

    Iterating again begins at the first event again.

    Args:
        seed: The same seed, start and rate give the same events.
        start: Event time of the first event, aware.
        rate: Events per second of event time.
        mix: How much fraud.

    Raises:
        InvalidError: A number is out of its range, or `start` has no time zone.
    """

    def __init__(
        self,
        seed: int = 1,
        *,
        start: datetime = datetime(2026, 1, 1, tzinfo=UTC),
        rate: float = 1_000.0,
        customers: int = 5_000,
        merchants: int = 1_000,
        mix: FraudMix | None = None,
    ) -> None:
        if seed < 0:
            raise InvalidError(f"the seed {seed} is negative: use 0 or more")
        if not 0 < rate < 1e9:
            raise InvalidError(f"the rate {rate} must be above 0 and below 1e9 events per second")
        if customers < 1 or merchants < 1:
            raise InvalidError(f"{customers} customers and {merchants} merchants: at least one of each is needed")
        if start.tzinfo is None:
            raise InvalidError(f"the start {start.isoformat()} has no time zone: add Z or an offset")
        self._seed = seed
        self._rate = rate
        self._mix = mix or FraudMix()
        self._people: Population = build_population(seed, customers, merchants)
        self._start = np.datetime64(start.astimezone(UTC).replace(tzinfo=None), "us")
        # Ids differ between runs of one seed at other times, so that a later run adds events instead of repeating ids.
        identity = f"{seed}|{self._start}|{rate}|{customers}|{merchants}"
        self._prefix = f"txn-{hashlib.sha256(identity.encode()).hexdigest()[:12]}-"

    def __iter__(self) -> Iterator[Transaction]:
        number = 0
        while True:
            yield from self.block(number)
            number += 1

    def block(self, number: int) -> list[Transaction]:
        """Return the events number * BLOCK up to (number + 1) * BLOCK."""
        rng = np.random.default_rng([self._seed, 1, number])
        index = np.arange(number * BLOCK, (number + 1) * BLOCK)
        times = self._start + (index * (1e6 / self._rate)).astype("timedelta64[us]")
        draft = self._honest(rng, index, times)
        overlay(draft, rng, seed=self._seed, mix=self._mix, people=self._people)
        return self._transactions(rng, draft, times)

    def _honest(self, rng: np.random.Generator, index: NDArray[np.int64], times: NDArray[np.datetime64]) -> Draft:
        people = self._people
        hours = (times.astype("datetime64[h]").astype(np.int64) % 24).astype(np.int64)
        chance = rng.random(BLOCK)
        customer = np.empty(BLOCK, dtype=np.int64)
        for hour in np.unique(hours):
            now = hours == hour
            customer[now] = np.searchsorted(people.hourly[hour], chance[now], side="right")
        np.clip(customer, 0, len(people.user_ids) - 1, out=customer)
        favourite = people.favourites[customer, rng.integers(0, people.favourites.shape[1], BLOCK)]
        elsewhere = rng.random(BLOCK) < 0.05
        merchant = np.where(elsewhere, rng.integers(0, len(people.merchant_ids), BLOCK), favourite)
        factor = np.array([relative for _, _, relative, _ in CATEGORIES])[people.merchant_category[merchant]]
        amount = people.usual_amount[customer] * factor * np.minimum(rng.lognormal(0.0, 0.4, BLOCK), 4.0)
        return Draft(
            index=index,
            customer=customer,
            merchant=merchant,
            country=people.merchant_country[merchant],
            amount=amount,
            label=np.zeros(BLOCK, dtype=np.int8),
            foreign_device=np.zeros(BLOCK, dtype=np.bool_),
        )

    def _transactions(self, rng: np.random.Generator, draft: Draft, times: NDArray[np.datetime64]) -> list[Transaction]:
        people, prefix = self._people, self._prefix
        texts = np.datetime_as_string(times, unit="us").tolist()
        amounts = np.maximum(np.round(draft.amount, 2), 0.5).tolist()
        second_mode = (rng.random(BLOCK) < 0.6).tolist()
        stolen = {
            int(at): (f"dev-x{rng.integers(0, 1 << 32):08x}", random_ip(rng))
            for at in np.flatnonzero(draft.foreign_device)
        }
        found: list[Transaction] = []
        append = found.append
        rows = zip(
            draft.index.tolist(), draft.customer.tolist(), draft.merchant.tolist(), draft.country.tolist(),
            people.merchant_category[draft.merchant].tolist(), draft.label.tolist(), strict=True,
        )  # fmt: skip
        for at, (number, customer, merchant, place, kind, label) in enumerate(rows):
            category, _, _, channel = CATEGORIES[kind]
            country, currency, _ = COUNTRIES[place]
            device, ip = people.device_ids[customer], people.home_ips[customer]
            if at in stolen:
                channel = "online"
                device, ip = stolen[at]
            event = {
                "transaction_id": f"{prefix}{number:010d}",
                "event_time": texts[at] + "Z",
                "user_id": people.user_ids[customer],
                "card_id": people.card_ids[customer],
                "merchant_id": people.merchant_ids[merchant],
                "merchant_category": category,
                "amount": amounts[at],
                "currency": currency,
                "country": country,
                "channel": channel,
                "entry_mode": _ENTRY_MODES[channel][second_mode[at]],
                "device_id": device,
                "ip": ip,
            }
            append(Transaction(event, _PATTERNS[label]))
        return found


def label_line(transaction: Transaction) -> bytes:
    """Return the line of the labels file for a fraudulent transaction."""
    return orjson.dumps(
        {"transaction_id": transaction.event["transaction_id"], "pattern": transaction.label},
        option=orjson.OPT_APPEND_NEWLINE,
    )
