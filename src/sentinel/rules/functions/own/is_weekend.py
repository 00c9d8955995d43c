"""is_weekend: whether it is Saturday or Sunday somewhere."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from sentinel.rules.functions.base import Accepts, Argument, RuleFunction
from sentinel.rules.types import BOOLEAN


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Return the names of time zones that rules may use.

    A list of our own, and not that of this machine: a zone that the Java of the job does not know would stop the query.
    """
    text = resources.files("sentinel.rules.functions.own").joinpath("zones.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if not line.startswith("#"))


def _problem(zone: str) -> str | None:
    return None if zone in known_zones() else f"{zone!r:.60} is not a time zone. Write it as 'Europe/Berlin' or 'UTC'."


FUNCTION = RuleFunction(
    "is_weekend",
    (
        Argument("moment", Accepts.CALENDAR),
        Argument("zone", Accepts.LITERAL_TEXT, low=1, high=64, problem=_problem),
    ),
    BOOLEAN,
    "NOT is_weekend(event_time, 'Europe/Berlin')",
    "whether it is Saturday or Sunday in a time zone",
    expansion="(dayofweek(from_utc_timestamp({0}, {1})) IN (1, 7))",
    own=True,
)
