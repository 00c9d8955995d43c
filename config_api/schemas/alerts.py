"""Alerts, as they are answered."""

from __future__ import annotations

import json
from typing import Any, Self

from pydantic import ConfigDict, Field

from config_api.schemas.base import AnswerModel, Timestamp
from sentinel.domain.alert_state import AlertStatus, Disposition
from sentinel.domain.detector import Amendment, Level
from sentinel.domain.rule import Severity


class EvidenceAnswer(AnswerModel):
    """A condition that had to be true for the rule to match."""

    condition: str
    values: dict[str, Any] = Field(description="The fields that it looks at; long ones are cut.")


class AlertAnswer(AnswerModel):
    """An alert: one rule was true for one event, or a detector found an anomaly in a window.

    `transaction_data` is the event, or what was found. An anomaly has no pipeline, rule, generation and record; the
    alert of a rule no detector, window and subject.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": 17,
                    "pipeline_id": 1,
                    "rule_id": 3,
                    "rule_version_id": 3,
                    "severity": "critical",
                    "score": 80,
                    "rule_name": "large_foreign",
                    "rule_description": "Large foreign payment",
                    "alert_timestamp": "2026-01-31T12:00:00.021Z",
                    "transaction_data": {"transaction_id": "t-1", "user_id": "u-9", "amount": 12000.5},
                    "evidence": [{"condition": "amount > 10000", "values": {"amount": 12000.5}}],
                    "event_id": "t-1",
                    "entities": {"user_id": "u-9"},
                    "generation_id": 2,
                    "kafka_partition": 0,
                    "kafka_offset": 4711,
                    "kafka_timestamp": "2026-01-31T12:00:00Z",
                    "list_versions": {"whitelist_table": 3},
                    "refill_id": None,
                    "status": "acknowledged",
                    "assignee": "ann",
                    "disposition": None,
                    "acknowledged_by": "ann",
                    "acknowledged_at": "2026-01-31T12:03:00Z",
                    "resolved_by": None,
                    "resolved_at": None,
                    "version": 1,
                    "updated_at": "2026-01-31T12:03:00Z",
                    "detector": None,
                    "window_start": None,
                    "window_end": None,
                    "subject": None,
                    "revision": 1,
                    "request_id": "shop-17",
                    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
                }
            ]
        }
    )

    id: int
    pipeline_id: int | None
    severity: Severity
    rule_name: str = Field(description="What the rule is called today.")
    rule_description: str
    alert_timestamp: Timestamp
    transaction_data: Any
    evidence: list[EvidenceAnswer]
    rule_id: int | None
    rule_version_id: int | None
    event_id: str
    score: int
    entities: dict[str, Any]
    generation_id: int | None
    kafka_partition: int | None
    kafka_offset: int | None
    kafka_timestamp: Timestamp | None
    list_versions: dict[str, int] = Field(description="List -> the version of it that the rule read.")
    refill_id: int | None = Field(description="The refill that made it; null: live detection did.")
    status: AlertStatus
    assignee: str | None
    disposition: Disposition | None
    acknowledged_by: str | None
    acknowledged_at: Timestamp | None
    resolved_by: str | None
    resolved_at: Timestamp | None
    version: int = Field(description="How often it was changed; 0: never. For `If-Match`.")
    updated_at: Timestamp | None
    detector: str | None = Field(description="The detector that found it; null: a rule did.")
    window_start: Timestamp | None
    window_end: Timestamp | None = Field(description="Not included in the window.")
    subject: str | None = Field(description="What an anomaly is about.")
    revision: int = Field(description="Grows when an anomaly is amended.")
    request_id: str | None = Field(
        description="The request that brought the event, as its `X-Request-Id`; null: its record does not say."
    )
    trace_id: str | None = Field(description="The trace that the event is part of; null: it was not traced.")


class AmendmentAnswer(AnswerModel):
    """What an anomaly said before it was amended."""

    version: int
    severity: Severity
    level: Level = Field(description="The detector's own: none, low, medium or high.")
    evidence: Any
    reason: str = Field(examples=["events came late: level low -> high, value 7 -> 31"])
    amended_at: Timestamp

    @classmethod
    def of(cls, amendment: Amendment) -> Self:
        """Describe an amendment."""
        return cls(
            version=amendment.version,
            severity=amendment.severity,
            level=amendment.level,
            evidence=json.loads(amendment.evidence_json),
            reason=amendment.reason,
            amended_at=amendment.amended_at,
        )
