"""A customer pays far more than usual."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar, Self

from pydantic import Field, model_validator

from sentinel.batch.detector import DetectorParameters, EventDetector, level_of, thresholds_problem
from sentinel.domain.detector import DetectorFinding, Level, Mode, Need, Window
from sentinel.stores.detectors import DetectorReader


class Parameters(DetectorParameters):
    """Thresholds are factors by which a payment exceeds the mean of the customer's payments before."""

    baseline_days: int = Field(default=30, ge=1, le=90)
    min_earlier: int = Field(default=5, ge=1, description="A customer with fewer payments has no mean.")
    low: Decimal = Field(default=Decimal(3), gt=1)
    medium: Decimal = Field(default=Decimal(5), gt=1)
    high: Decimal = Field(default=Decimal(10), gt=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        problem = thresholds_problem(self.low, self.medium, self.high)
        if problem:
            raise ValueError(problem)
        return self


class AmountSpike(EventDetector[Parameters]):
    """The largest payment of a customer in a window against the mean before it, in one currency at a time.

    Amounts stay integers of the currency's smallest unit: a yen has none smaller, so currencies are never compared.
    """

    name: ClassVar[str] = "amount_spike"
    title: ClassVar[str] = "A payment far above the customer's mean"
    parameters = Parameters
    need: ClassVar[Need] = Need.STRIPE_SOURCE
    builtin_mode: ClassVar[Mode | None] = Mode.OFF

    def detect(self, window: Window, parameters: Parameters, reader: DetectorReader) -> Sequence[DetectorFinding]:
        """Return the customers, each with a currency, of whom a payment is too large."""
        findings = []
        for found in reader.customer_payments(
            window, baseline_days=parameters.baseline_days, min_earlier=parameters.min_earlier
        ):
            if found.earlier_sum <= 0:
                continue
            # largest / mean, without the rounding of the mean.
            ratio = Decimal(found.largest * found.earlier_count) / found.earlier_sum
            level = level_of(ratio, parameters.low, parameters.medium, parameters.high)
            if level is Level.NONE:
                continue
            mean = Decimal(found.earlier_sum) / found.earlier_count
            findings.append(
                DetectorFinding(
                    subject=f"{found.customer}/{found.currency}",
                    level=level,
                    value=found.largest,
                    baseline=f"{mean:.2f}",
                    condition=(
                        f"a payment of {found.largest} (smallest units of {found.currency}) by {found.customer}, "
                        f"{ratio:.1f} times the mean of {found.earlier_count} payments in the "
                        f"{parameters.baseline_days} days before"
                    ),
                    details={
                        "currency": found.currency,
                        "payment_count": found.payment_count,
                        "earlier_sum": found.earlier_sum,
                        "earlier_count": found.earlier_count,
                    },
                    sample_ids=found.sample_ids,
                    entities={"customer": found.customer},
                )
            )
        return findings
