"""The kinds of detectors. To add one: a file, a line here, and its docs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sentinel.batch.detector import Detector
from sentinel.batch.detectors.amount_spike import AmountSpike
from sentinel.batch.detectors.missing_heartbeat import MissingHeartbeat
from sentinel.batch.detectors.payment_failure_spike import PaymentFailureSpike
from sentinel.batch.detectors.series import Series
from sentinel.batch.detectors.sql import Sql
from sentinel.batch.detectors.subscription_churn_spike import SubscriptionChurnSpike
from sentinel.batch.detectors.webhook_integrity import WebhookIntegrity
from sentinel.domain.detector import DetectorDefinition, builtin

DETECTORS: Mapping[str, Detector[Any]] = {
    detector.name: detector
    for detector in (
        WebhookIntegrity(),
        PaymentFailureSpike(),
        AmountSpike(),
        SubscriptionChurnSpike(),
        MissingHeartbeat(),
        Sql(),
        Series(),
    )
}


def builtins() -> Sequence[DetectorDefinition]:
    """Return the detectors that every tenant has without having set them up."""
    return [
        builtin(detector.name, detector.title, detector.builtin_mode)
        for detector in DETECTORS.values()
        if detector.builtin_mode is not None
    ]
