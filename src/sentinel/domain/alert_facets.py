"""How the alerts that fit a filter divide: by severity, status, pipeline, rule, what they were, and who raised them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MAX_COUNTED = 250_000
"""Alerts that are looked at, newest first."""
MAX_SEARCHED = 20_000
"""The same where each alert's event is searched for a text."""
MAX_VALUES = 500
"""Values of a facet that are answered: those with most alerts."""


class Facet(StrEnum):
    """What alerts are divided by. Each is counted as if the filter said nothing of it."""

    SEVERITY = "severity"
    STATUS = "status"
    PIPELINE = "pipeline"
    RULE = "rule"
    DISPOSITION = "disposition"
    SOURCE = "source"
    DETECTOR = "detector"


@dataclass(frozen=True, slots=True)
class FacetCount:
    """How many alerts have a value.

    Attributes:
        value: What a filter takes: a word, a name, or an id as text; empty: alerts that nobody judged.
        name: What people call it.
        pipeline_id: Of a rule.
    """

    value: str
    name: str
    pipeline_id: int | None
    count: int


@dataclass(frozen=True, slots=True)
class AlertFacets:
    """The counts of a filter.

    Attributes:
        total: Alerts that fit the whole filter.
        looked_at: Alerts that time, event and text allow, and that were looked at.
        since: Only alerts from then on were looked at; None: all were.
        counts: Facet -> its values, those with most alerts first.
    """

    total: int
    looked_at: int
    since: datetime | None
    counts: Mapping[Facet, tuple[FacetCount, ...]]
