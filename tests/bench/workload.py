"""The benchmark's events and rules, seeded, and the alerts that are right for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow as pa

FIELDS: list[dict[str, Any]] = [
    {"name": "event_id", "type": "string", "nullable": False, "role": "event_id"},
    {"name": "user_id", "type": "string", "role": "entity"},
    {"name": "merchant_id", "type": "integer"},
    {"name": "category", "type": "string"},
    {"name": "amount", "type": "float"},
    {"name": "currency", "type": "string"},
    {"name": "country", "type": "string"},
    {"name": "channel", "type": "string"},
    {"name": "device", "type": "string"},
    {"name": "attempt", "type": "integer"},
    {"name": "note", "type": "string"},
    {"name": "sent_at", "type": "float"},
]

CATEGORIES = ["grocery", "fuel", "travel", "books", "games", "health", "garden", "music"]
COUNTRIES = ["DE", "FR", "IT", "ES", "PL", "NL", "US", "BR", "NG", "SG"]
CHANNELS = ["pos", "web", "app", "atm"]
USERS, MERCHANTS = 20_000, 2_000
# Rows that exist as Python objects.
_AT_ONCE = 50_000


@dataclass(frozen=True)
class Events:
    """Columns of the events; about 330 bytes each as JSON."""

    columns: dict[str, Any]

    def __len__(self) -> int:
        return len(self.columns["amount"])

    def encoded(self, start: int, sent_at: Any) -> Iterator[bytes]:
        """Yield the JSON of events from `start` on; `sent_at` is their scheduled send time, seconds, per event."""
        names = list(self.columns)
        for first in range(0, len(sent_at), _AT_ONCE):
            times = sent_at[first : first + _AT_ONCE]
            part = slice(start + first, start + first + len(times))
            rows = zip(*(self.columns[name][part].tolist() for name in names), strict=True)
            for row, at in zip(rows, times, strict=True):
                yield orjson.dumps({**dict(zip(names, row, strict=True)), "sent_at": float(at)})


class PreparedEvents:
    """Events encoded beforehand, which leaves the processor to what is measured; each repetition has its own ids.

    Args:
        repetition: Which time it is that they are sent.
    """

    def __init__(self, bodies: Sequence[bytes], repetition: int = 0) -> None:
        self._bodies = bodies
        self._repetition = repetition

    @classmethod
    def of(cls, events: Events) -> PreparedEvents:
        """Encode all of them but for their ids and send times."""
        names = [name for name in events.columns if name != "event_id"]
        rows = zip(*(events.columns[name].tolist() for name in names), strict=True)
        return cls([orjson.dumps(dict(zip(names, row, strict=True)))[1:-1] for row in rows])

    def again(self, repetition: int) -> PreparedEvents:
        """Return the same events under other ids."""
        return PreparedEvents(self._bodies, repetition)

    def __len__(self) -> int:
        return len(self._bodies)

    def encoded(self, start: int, sent_at: Any) -> Iterator[bytes]:
        """As `Events.encoded`."""
        for number, at in enumerate(sent_at.tolist(), start=start):
            yield b'{"event_id":"e-%d-%012d",%b,"sent_at":%.6f}' % (self._repetition, number, self._bodies[number], at)


def make_events(count: int, seed: int = 1) -> Events:
    """Make events: users and merchants by Zipf, amounts log-normal."""
    random = np.random.default_rng(seed)
    return Events(
        {
            "event_id": np.array([f"e-{seed}-{number:012d}" for number in range(count)]),
            "user_id": np.array([f"user-{n:08d}" for n in random.zipf(1.2, count) % USERS]),
            "merchant_id": (random.zipf(1.3, count) % MERCHANTS).astype("int64"),
            "category": random.choice(CATEGORIES, count),
            "amount": np.round(random.lognormal(3.3, 1.0, count), 2),
            "currency": np.full(count, "EUR"),
            "country": random.choice(COUNTRIES, count),
            "channel": random.choice(CHANNELS, count),
            "device": np.array([f"dev-{n:06d}" for n in random.integers(0, 50_000, count)]),
            "attempt": random.integers(1, 4, count),
            "note": np.full(count, "card transaction, authorised online, cleared overnight by the acquirer"),
        }
    )


def make_rules(count: int) -> dict[str, str]:
    """Make rules: 70 % equality and threshold, 20 % strings and lists, 10 % longer lists; about 1 % of events match."""
    rules = {}
    for number in range(count):
        kind = number % 10
        if number == 0:
            rules["rule 0"] = "amount > 250"
        elif kind < 7:
            rules[f"rule {number}"] = f"merchant_id = {500 + number} AND amount > {50 + number % 40}"
        elif kind < 9:
            country, category = COUNTRIES[number % 10], CATEGORIES[number % 8]
            rules[f"rule {number}"] = (
                f"country IN ('{country}', 'XX') AND category LIKE '{category[:3]}%' AND amount > {400 + number}"
            )
        else:
            users = ", ".join(f"'user-{10_000 + number * 20 + n:08d}'" for n in range(20))
            rules[f"rule {number}"] = f"user_id IN ({users}) AND attempt >= 2"
    return rules


def python_source(count: int) -> str:
    """Return Python with all rules of `make_rules` in one function, `matches(event) -> list of rules`."""
    lines = ["def matches(event):", "    found = []"]
    names = ("user_id", "merchant_id", "category", "amount", "country", "attempt")
    lines += [f"    {name} = event[{name!r}]" for name in names]
    for number in range(count):
        kind = number % 10
        if number == 0:
            condition = "amount > 250"
        elif kind < 7:
            condition = f"merchant_id == {500 + number} and amount > {50 + number % 40}"
        elif kind < 9:
            start = CATEGORIES[number % 8][:3]
            condition = (
                f"country in ({COUNTRIES[number % 10]!r}, 'XX') and category.startswith({start!r})"
                f" and amount > {400 + number}"
            )
        else:
            users = ", ".join(f"'user-{10_000 + number * 20 + n:08d}'" for n in range(20))
            condition = f"user_id in {{{users}}} and attempt >= 2"
        lines += [f"    if {condition}:", f"        found.append('rule {number}')"]
    return "\n".join([*lines, "    return found", ""])


def expected_alerts(events: Events, rules: dict[str, str]) -> dict[str, int]:
    """Count the right alerts per rule with DuckDB."""
    connection = duckdb.connect()
    connection.register("events", pa.table({name: pa.array(column) for name, column in events.columns.items()}))
    counts: dict[str, int] = {}
    names = list(rules)
    for start in range(0, len(names), 100):
        chunk = names[start : start + 100]
        selected = ", ".join(f"count(*) FILTER (WHERE {rules[name]})" for name in chunk)
        row = connection.execute(f"SELECT {selected} FROM events").fetchone()
        assert row is not None
        counts |= {name: count for name, count in zip(chunk, row, strict=True) if count}
    return counts
