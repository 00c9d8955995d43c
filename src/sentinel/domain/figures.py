"""Figures of pipelines, as a monitoring system asks for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PipelineFigures:
    """One pipeline, now.

    Attributes:
        alerts: Severity -> alerts so far.
        dead_letters: Cause -> records so far.
        decided: Records that detection has gone through.
        lag: Records that wait, as its job said last; None where none runs.
        phase: What its job said last that it does; empty where none runs.
        heartbeat_age_seconds: Since its job said anything; None where none ever ran.
    """

    pipeline_id: int
    status: str
    alerts: dict[str, int]
    dead_letters: dict[str, int]
    decided: int
    lag: int | None
    phase: str
    heartbeat_age_seconds: float | None
    generation_failures: int
    quarantined: int
