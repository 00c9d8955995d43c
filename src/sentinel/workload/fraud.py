"""Three patterns of fraud, laid over honest transactions. What is fraud is told apart, never in the event."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sentinel.workload.population import Ints, Population


class FraudPattern(StrEnum):
    """What kind of fraud a transaction is."""

    LARGE_AMOUNT = "large_amount"
    COMPROMISED_MERCHANT = "compromised_merchant"
    CARD_TAKEOVER = "card_takeover"


@dataclass(frozen=True, slots=True)
class FraudMix:
    """How much fraud there is. Campaigns are counted in events, so that they show at any rate.

    Attributes:
        large_amount_share: Share of all transactions that are a single, far too large amount.
        merchant_period: Every so many events another merchant is compromised ...
        merchant_length: ... for the next so many events ...
        merchant_share: ... of which this share are fraudulent ones at that merchant.
        takeover_period: Every so many events another card is taken over ...
        takeover_length: ... for the next so many events ...
        takeover_share: ... of which this share are the thief's, from abroad, on a new device, five times the amount.
    """

    large_amount_share: float = 0.001
    merchant_period: int = 20_000
    merchant_length: int = 6_000
    merchant_share: float = 0.015
    takeover_period: int = 4_000
    takeover_length: int = 800
    takeover_share: float = 0.03


@dataclass(frozen=True, slots=True)
class Campaign:
    """A card taken over or a merchant compromised, for a stretch of events: [begin, end)."""

    begin: int
    end: int
    target: int
    country: int


def _campaign(
    number: int, rng: np.random.Generator, *, period: int, length: int, targets: int, countries: int
) -> Campaign:
    begin = number * period + int(rng.integers(0, max(1, period - length + 1)))
    return Campaign(begin, begin + length, int(rng.integers(0, targets)), int(rng.integers(0, countries)))


def _campaigns(
    seeds: tuple[int, int], index: Ints, *, period: int, length: int, targets: int, countries: int
) -> list[Campaign]:
    """Return the campaigns that touch the events of `index`, each drawn from a generator of its own."""
    first, last = int(index[0]), int(index[-1])
    found = [
        _campaign(
            number,
            np.random.default_rng([*seeds, number]),
            period=period,
            length=length,
            targets=targets,
            countries=countries,
        )
        for number in range(first // period, last // period + 1)
    ]
    return [campaign for campaign in found if campaign.begin <= last and campaign.end > first]


@dataclass(slots=True)
class Draft:
    """Transactions in the making, one array element each.

    Attributes:
        customer, merchant: Indices into the population.
        country: Where the purchase comes from, an index into `COUNTRIES`.
        label: 0 for an honest one, else 1 + the position in `FraudPattern`.
        foreign_device: Not the customer's own device and address.
    """

    index: Ints
    customer: Ints
    merchant: Ints
    country: Ints
    amount: NDArray[np.float64]
    label: NDArray[np.int8]
    foreign_device: NDArray[np.bool_]


def overlay(draft: Draft, rng: np.random.Generator, *, seed: int, mix: FraudMix, people: Population) -> None:
    """Turn some honest transactions into fraudulent ones, in place."""
    index = draft.index
    patterns = list(FraudPattern)
    size = len(index)

    large = rng.random(size) < mix.large_amount_share
    usual = people.usual_amount[draft.customer]
    draft.amount[large] = (np.maximum(usual, 20.0) * rng.uniform(15, 45, size))[large]
    draft.label[large] = 1 + patterns.index(FraudPattern.LARGE_AMOUNT)

    merchants = len(people.merchant_ids)
    for campaign in _campaigns(
        (seed, 2), index, period=mix.merchant_period, length=mix.merchant_length, targets=merchants, countries=1
    ):
        there = (index >= campaign.begin) & (index < campaign.end) & (draft.label == 0)
        there &= rng.random(size) < mix.merchant_share
        draft.merchant[there] = campaign.target
        draft.country[there] = people.merchant_country[campaign.target]
        draft.amount[there] *= 2.0
        draft.label[there] = 1 + patterns.index(FraudPattern.COMPROMISED_MERCHANT)

    customers, countries = len(people.user_ids), len(people.by_country)
    for campaign in _campaigns(
        (seed, 3),
        index,
        period=mix.takeover_period,
        length=mix.takeover_length,
        targets=customers,
        countries=countries,
    ):
        there = (index >= campaign.begin) & (index < campaign.end) & (draft.label == 0)
        there &= rng.random(size) < mix.takeover_share
        thefts = int(there.sum())
        abroad = campaign.country
        if abroad == people.home_country[campaign.target]:
            abroad = (abroad + 1) % countries
        draft.customer[there] = campaign.target
        draft.merchant[there] = rng.choice(people.by_country[abroad], thefts)
        draft.country[there] = abroad
        draft.amount[there] = people.usual_amount[campaign.target] * 5.0 * rng.lognormal(0.0, 0.35, thefts)
        draft.foreign_device[there] = True
        draft.label[there] = 1 + patterns.index(FraudPattern.CARD_TAKEOVER)
