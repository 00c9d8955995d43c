"""More payments fail than usual."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, model_validator

from sentinel.batch.detector import DetectorParameters, EventDetector, figure, level_of, thresholds_problem
from sentinel.domain.detector import DetectorFinding, Level, Mode, Need, Window
from sentinel.stores.detectors import DetectorReader, PaymentFigures


class Parameters(DetectorParameters):
    """Thresholds are factors by which the share of failed payments exceeds the usual one."""

    baseline_days: int = Field(default=7, ge=1, le=60, description="The usual share is that of so many days before.")
    min_payments: int = Field(default=20, ge=1, description="A window with fewer payments says nothing.")
    min_failed: int = Field(default=5, ge=1, description="Nor does one with fewer failed payments.")
    min_baseline_payments: int = Field(default=100, ge=1, description="With fewer, `assumed_rate` is the usual share.")
    assumed_rate: Decimal = Field(default=Decimal("0.1"), gt=0, le=1)
    lowest_rate: Decimal = Field(
        default=Decimal("0.02"), gt=0, le=1, description="A usual share below it counts as this."
    )
    low: Decimal = Field(default=Decimal(2), gt=1)
    medium: Decimal = Field(default=Decimal(3), gt=1)
    high: Decimal = Field(default=Decimal(5), gt=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        problem = thresholds_problem(self.low, self.medium, self.high)
        if problem:
            raise ValueError(problem)
        return self


class PaymentFailureSpike(EventDetector[Parameters]):
    """The share of failed payments of a webhook source against its share in the days before."""

    name: ClassVar[str] = "payment_failure_spike"
    title: ClassVar[str] = "More payments fail than usual"
    parameters = Parameters
    need: ClassVar[Need] = Need.STRIPE_SOURCE
    builtin_mode: ClassVar[Mode | None] = Mode.AUTO

    def detect(self, window: Window, parameters: Parameters, reader: DetectorReader) -> Sequence[DetectorFinding]:
        """Return the sources whose share of failed payments is too high."""
        found = [_judged(each, parameters) for each in reader.payments(window, baseline_days=parameters.baseline_days)]
        return [finding for finding in found if finding is not None]


def _judged(found: PaymentFigures, parameters: Parameters) -> DetectorFinding | None:
    if found.total < parameters.min_payments or found.failed < parameters.min_failed:
        return None
    is_known = found.baseline_total >= parameters.min_baseline_payments
    usual = Decimal(found.baseline_failed) / found.baseline_total if is_known else parameters.assumed_rate
    held_against = max(usual, parameters.lowest_rate)
    rate = Decimal(found.failed) / found.total
    level = level_of(rate / held_against, parameters.low, parameters.medium, parameters.high)
    if level is Level.NONE:
        return None
    return DetectorFinding(
        subject=f"webhook_source:{found.source_id}",
        level=level,
        value=figure(rate),
        baseline=figure(held_against),
        condition=(
            f"{found.failed} of {found.total} payments of {found.source!r} failed ({rate:.1%}), "
            f"{rate / held_against:.1f} times the {'usual' if is_known else 'assumed'} {held_against:.1%}"
        ),
        details={
            "failed": found.failed,
            "total": found.total,
            "baseline_failed": found.baseline_failed,
            "baseline_total": found.baseline_total,
            "baseline_is_assumed": not is_known,
        },
        sample_ids=found.sample_ids,
        entities={"webhook_source": found.source},
    )
