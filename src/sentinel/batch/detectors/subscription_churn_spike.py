"""More subscriptions end than usual."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, model_validator

from sentinel.batch.detector import DetectorParameters, EventDetector, figure, level_of, thresholds_problem
from sentinel.domain.detector import DetectorFinding, Level, Mode, Need, Window
from sentinel.stores.detectors import DetectorReader


class Parameters(DetectorParameters):
    """Thresholds are factors by which the number of ended subscriptions exceeds the mean per window before."""

    window_minutes: int = Field(default=24 * 60, ge=1, le=7 * 24 * 60)
    late_hours: int = Field(default=48, ge=0, le=168)
    baseline_days: int = Field(default=28, ge=1, le=90)
    min_baseline_windows: int = Field(
        default=3, ge=1, description="With fewer windows since the source's first event, `assumed_mean` is the mean."
    )
    assumed_mean: Decimal = Field(default=Decimal(5), gt=0)
    min_ended: int = Field(default=5, ge=1, description="A window with fewer says nothing.")
    lowest_mean: Decimal = Field(default=Decimal(1), gt=0, description="A mean below it counts as this.")
    low: Decimal = Field(default=Decimal(2), gt=1)
    medium: Decimal = Field(default=Decimal(3), gt=1)
    high: Decimal = Field(default=Decimal(5), gt=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        problem = thresholds_problem(self.low, self.medium, self.high)
        if problem:
            raise ValueError(problem)
        return self


class SubscriptionChurnSpike(EventDetector[Parameters]):
    """Subscriptions of a webhook source that ended in a window against the mean of the windows before."""

    name: ClassVar[str] = "subscription_churn_spike"
    title: ClassVar[str] = "More subscriptions end than usual"
    parameters = Parameters
    need: ClassVar[Need] = Need.STRIPE_SOURCE
    builtin_mode: ClassVar[Mode | None] = Mode.AUTO

    def detect(self, window: Window, parameters: Parameters, reader: DetectorReader) -> Sequence[DetectorFinding]:
        """Return the sources of which too many subscriptions ended."""
        findings = []
        for found in reader.ended_subscriptions(window, baseline_days=parameters.baseline_days):
            if found.ended < parameters.min_ended:
                continue
            is_known = found.baseline_windows >= parameters.min_baseline_windows
            mean = Decimal(found.baseline_count) / found.baseline_windows if is_known else parameters.assumed_mean
            held_against = max(mean, parameters.lowest_mean)
            ratio = Decimal(found.ended) / held_against
            level = level_of(ratio, parameters.low, parameters.medium, parameters.high)
            if level is Level.NONE:
                continue
            findings.append(
                DetectorFinding(
                    subject=f"webhook_source:{found.source_id}",
                    level=level,
                    value=found.ended,
                    baseline=figure(held_against),
                    condition=(
                        f"{found.ended} subscriptions of {found.source!r} ended, {ratio:.1f} times the "
                        f"{'usual' if is_known else 'assumed'} {held_against:.1f}"
                    ),
                    details={
                        "baseline_count": found.baseline_count,
                        "baseline_windows": found.baseline_windows,
                        "baseline_is_assumed": not is_known,
                    },
                    sample_ids=found.sample_ids,
                    entities={"webhook_source": found.source},
                )
            )
        return findings
