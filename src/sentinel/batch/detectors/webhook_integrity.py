"""Deliveries of webhooks that were refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from pydantic import Field, model_validator

from sentinel.batch.detector import Detector, DetectorParameters, level_of, thresholds_problem
from sentinel.domain.detector import DetectorFinding, Level, Mode, Need, Window
from sentinel.domain.webhook import RefusalReason
from sentinel.stores.detectors import DetectorReader

# Refused deliveries are counted by five minutes.
SLOT_MINUTES = 5


class Parameters(DetectorParameters):
    """Thresholds are numbers of refused deliveries of one source in a window."""

    window_minutes: int = Field(default=15, ge=SLOT_MINUTES, le=24 * 60, multiple_of=SLOT_MINUTES)
    late_hours: int = Field(default=1, ge=0, le=24)
    low: int = Field(default=5, ge=1)
    medium: int = Field(default=25, ge=1)
    high: int = Field(default=100, ge=1)
    ignored_reasons: tuple[RefusalReason, ...] = Field(
        default=(RefusalReason.DISABLED,), description="Reasons that do not count."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        problem = thresholds_problem(self.low, self.medium, self.high)
        if problem:
            raise ValueError(problem)
        return self


class WebhookIntegrity(Detector[Parameters]):
    """Somebody sends what is not signed, or a secret is no longer right."""

    name: ClassVar[str] = "webhook_integrity"
    title: ClassVar[str] = "Refused deliveries of a webhook source"
    parameters = Parameters
    need: ClassVar[Need] = Need.WEBHOOK_SOURCE
    builtin_mode: ClassVar[Mode | None] = Mode.AUTO

    def detect(self, window: Window, parameters: Parameters, reader: DetectorReader) -> Sequence[DetectorFinding]:
        """Return the sources of which too many deliveries were refused."""
        findings = []
        for refused in reader.refused_deliveries(window):
            counts = {
                reason: count
                for reason, count in sorted(refused.counts.items())
                if reason not in set(parameters.ignored_reasons)
            }
            total = sum(counts.values())
            level = level_of(total, parameters.low, parameters.medium, parameters.high)
            if level is Level.NONE:
                continue
            findings.append(
                DetectorFinding(
                    subject=f"webhook_source:{refused.source_id}",
                    level=level,
                    value=total,
                    baseline=None,
                    condition=f"{total} deliveries to the webhook source {refused.source!r} were refused",
                    details={"counts": counts},
                    sample_ids=refused.sample_ids,
                    entities={"webhook_source": refused.source},
                )
            )
        return findings
