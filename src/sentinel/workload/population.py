"""The people and shops that card transactions are made of: customers with habits, and merchants. Seeded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# (country, currency, share of customers and merchants). Currencies of like worth, so that amounts compare.
COUNTRIES = (
    ("DE", "EUR", 0.24),
    ("FR", "EUR", 0.18),
    ("GB", "GBP", 0.16),
    ("US", "USD", 0.14),
    ("IT", "EUR", 0.10),
    ("ES", "EUR", 0.08),
    ("NL", "EUR", 0.05),
    ("CH", "CHF", 0.03),
    ("AT", "EUR", 0.02),
)

# (category, share of merchants, amount relative to a customer's usual one, channel)
CATEGORIES = (
    ("grocery", 0.28, 1.0, "pos"),
    ("restaurant", 0.16, 0.8, "pos"),
    ("fuel", 0.10, 1.3, "pos"),
    ("fashion", 0.10, 1.6, "pos"),
    ("electronics", 0.08, 3.5, "online"),
    ("entertainment", 0.08, 0.7, "online"),
    ("pharmacy", 0.07, 0.6, "pos"),
    ("travel", 0.05, 5.0, "online"),
    ("cash", 0.04, 2.0, "atm"),
    ("digital_goods", 0.04, 0.5, "online"),
)

FAVOURITES = 10
HOURS = 24

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Population:
    """Customers and merchants, one array element each; all arrays of a kind have the same length.

    Attributes:
        usual_amount: A customer's median amount.
        favourites: Merchants (indices) that a customer usually goes to, `FAVOURITES` per customer.
        hourly: Cumulative weight of the customers per hour of the day, shape (24, customers), each row ending at 1.
        by_country: Merchants (indices) of each country, in the order of `COUNTRIES`.
    """

    user_ids: list[str]
    card_ids: list[str]
    device_ids: list[str]
    home_ips: list[str]
    home_country: Ints
    usual_amount: Floats
    favourites: Ints
    hourly: Floats
    merchant_ids: list[str]
    merchant_category: Ints
    merchant_country: Ints
    by_country: tuple[Ints, ...]


def build_population(seed: int, customers: int, merchants: int) -> Population:
    """Draw a population. The same arguments give the same one."""
    rng = np.random.default_rng([seed, 0])
    country_shares = np.array([share for _, _, share in COUNTRIES])
    category_shares = np.array([share for _, share, _, _ in CATEGORIES])

    merchant_country = rng.choice(len(COUNTRIES), merchants, p=country_shares / country_shares.sum())
    merchant_category = rng.choice(len(CATEGORIES), merchants, p=category_shares / category_shares.sum())
    by_country = tuple(_or_any(np.flatnonzero(merchant_country == at), merchants) for at in range(len(COUNTRIES)))

    home = rng.choice(len(COUNTRIES), customers, p=country_shares / country_shares.sum())
    favourites = np.empty((customers, FAVOURITES), dtype=np.int64)
    for at, local in enumerate(by_country):
        living_there = np.flatnonzero(home == at)
        favourites[living_there] = rng.choice(local, (len(living_there), FAVOURITES))
    # The last two favourites are anywhere: a web shop, a holiday place.
    favourites[:, -2:] = rng.integers(0, merchants, (customers, 2))

    device_numbers = rng.permutation(customers) + 1
    return Population(
        user_ids=[f"user-{number:05d}" for number in range(1, customers + 1)],
        card_ids=[f"card-{number:06d}" for number in (rng.permutation(customers) + 100_001).tolist()],
        device_ids=[f"dev-{number:05d}" for number in device_numbers.tolist()],
        home_ips=[random_ip(rng) for _ in range(customers)],
        home_country=home,
        usual_amount=np.round(rng.lognormal(np.log(28.0), 0.5, customers), 2),
        favourites=favourites,
        hourly=_hourly_weights(rng, customers),
        merchant_ids=[f"merchant-{number:05d}" for number in range(1, merchants + 1)],
        merchant_category=merchant_category,
        merchant_country=merchant_country,
        by_country=by_country,
    )


def random_ip(rng: np.random.Generator) -> str:
    """Return an address of the ranges reserved for benchmarks (RFC 2544), which belong to nobody."""
    low, middle, high = rng.integers(0, [2, 256, 254]).tolist()
    return f"198.{18 + low}.{middle}.{high + 1}"


def _or_any(found: Ints, merchants: int) -> Ints:
    return found if len(found) else np.arange(merchants)


def _hourly_weights(rng: np.random.Generator, customers: int) -> Floats:
    """Most people pay by day, some by night; a little remains at any hour, so that no hour is empty."""
    begin = rng.integers(6, 11, customers)
    length = rng.integers(9, 15, customers)
    night_owl = rng.random(customers) < 0.06
    begin = np.where(night_owl, rng.integers(17, 22, customers), begin)
    activity = rng.gamma(2.0, 0.5, customers)
    hours = np.arange(HOURS)[:, None]
    awake = (hours - begin[None, :]) % HOURS < length[None, :]
    weights = np.where(awake, 1.0, 0.02) * activity[None, :]
    cumulative = np.cumsum(weights, axis=1)
    return np.asarray(cumulative / cumulative[:, -1:], dtype=np.float64)
