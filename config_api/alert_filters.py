"""The filter of alerts, as the parameters that every list, count and file of them takes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from config_api.dependencies import MAX_ID
from config_api.schemas.base import Moment, Text
from sentinel.domain.alert import AlertFilter, AlertSource
from sentinel.domain.alert_state import AlertStatus, Disposition
from sentinel.domain.rule import Severity
from sentinel.errors import ErrorDetail, InvalidError

_Id = Annotated[int | None, Query(ge=1, le=MAX_ID)]


def _wanted(
    pipeline_id: _Id = None,
    severity: Severity | None = None,
    rule_id: _Id = None,
    event_id: Annotated[Text | None, Query(max_length=2000)] = None,
    since: Annotated[Moment | None, Query(description="From this time on, with its zone.")] = None,
    until: Annotated[Moment | None, Query(description="Before this time.")] = None,
    text: Annotated[
        Text | None, Query(min_length=1, max_length=500, description="Anywhere in the event, without case.")
    ] = None,
    status: AlertStatus | None = None,
    assignee: Annotated[Text | None, Query(max_length=128, description="Who has it; empty: nobody.")] = None,
    disposition: Disposition | None = None,
    source: Annotated[
        AlertSource | None, Query(description="Only alerts of rules, or only those of detectors.")
    ] = None,
    detector: Annotated[Text | None, Query(max_length=100, description="Only alerts of this detector.")] = None,
) -> AlertFilter:
    wanted = AlertFilter(
        pipeline_id,
        severity,
        rule_id,
        event_id,
        since,
        until,
        text,
        status,
        assignee,
        disposition,
        source,
        detector,
    )
    refuse_empty_range(wanted)
    return wanted


WantedAlerts = Annotated[AlertFilter, Depends(_wanted)]


def refuse_empty_range(wanted: AlertFilter) -> None:
    """Refuse a range of time in which nothing can be.

    Raises:
        InvalidError: It is one.
    """
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise InvalidError("since must be before until", details=[ErrorDetail("", "since must be before until")])
