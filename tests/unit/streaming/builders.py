"""Small snapshots for tests."""

from __future__ import annotations

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.pipeline import PipelineConfig, PipelineSnapshot, PipelineStatus
from sentinel.domain.rule import RuleSet, RuleVersion, Severity


def make_rule(number: int, condition: str, severity: Severity = Severity.CRITICAL) -> RuleVersion:
    return RuleVersion(number, 100 + number, 1, condition, severity, f"rule {number}")


def make_snapshot(*rules: RuleVersion, pipeline_id: int = 1) -> PipelineSnapshot:
    return PipelineSnapshot(
        tenant_id="default",
        pipeline_id=pipeline_id,
        name="payments",
        kafka_topic="payments",
        status=PipelineStatus.ACTIVE,
        config=PipelineConfig(),
        schema_version=1,
        schema=EventSchema.from_json(
            [
                {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
                {"name": "user_id", "type": "string", "role": "entity"},
                {"name": "amount", "type": "float"},
            ]
        ),
        rule_set=RuleSet(1, rules or (make_rule(1, "amount > 10"),)),
        start_at="earliest",
        source_epoch=0,
    )
