"""Events of other sizes than the workload's, and rules that match a given share of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.bench.workload import FIELDS, Events, make_events

# What the workload's rules look at; all else of an event is freight.
_LOOKED_AT = ("event_id", "user_id", "merchant_id", "category", "amount", "country", "attempt")


@dataclass(frozen=True, slots=True)
class Shape:
    """Events of one size: their schema, and what makes them of a count and a seed."""

    fields: list[dict[str, Any]]
    make: Callable[[int, int], Events]


def _small(count: int, seed: int) -> Events:
    events = make_events(count, seed)
    return Events({name: column for name, column in events.columns.items() if name in _LOOKED_AT})


def _large(count: int, seed: int) -> Events:
    random = np.random.default_rng(seed + 1)
    events = make_events(count, seed)
    words = np.array([f"{word:04x}-{'settlement'[: 4 + word % 7]}" for word in range(4096)])
    texts = {f"text_{number}": random.choice(words, count) for number in range(18)}
    numbers = {f"number_{number}": np.round(random.random(count) * 1e4, 2) for number in range(10)}
    return Events({**events.columns, **texts, **numbers})


SHAPES = {
    "200 B, 8 fields": Shape([field for field in FIELDS if field["name"] in (*_LOOKED_AT, "sent_at")], _small),
    "330 B, 12 fields": Shape(FIELDS, make_events),
    "1 kB, 40 fields": Shape(
        [
            *FIELDS,
            *({"name": f"text_{number}", "type": "string"} for number in range(18)),
            *({"name": f"number_{number}", "type": "float"} for number in range(10)),
        ],
        _large,
    ),
}


def matching_rules(percent: int) -> dict[str, str]:
    """Return 20 rules on the workload's events of which together this share matches, one rule an event.

    A device is one of 50,000 with equal chances.
    """
    step = 50_000 * percent // 1000
    borders = [(f"dev-{number * step:06d}", f"dev-{(number + 1) * step:06d}") for number in range(10)]
    rules = {
        f"from {low}, {number}": f"device >= '{low}' AND device < '{high}'"
        for number, (low, high) in enumerate(borders)
    }
    return rules | {f"never {number}": f"amount < -{number + 1}" for number in range(10)}
