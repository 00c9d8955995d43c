"""Request models."""

from __future__ import annotations

from config_api.schemas.event_schemas import SchemaField
from config_api.schemas.pipelines import PipelinePatchRequest
from sentinel.domain.pipeline import DetectMode, PipelineConfig


def test_a_role_may_be_named_or_marked() -> None:
    assert SchemaField(name="a", type="string", role="entity").definition().roles == {"entity"}
    assert SchemaField(name="a", type="string", entity=True).definition().roles == {"entity"}
    assert SchemaField(name="a", type="string", entity=True, role="entity").definition().roles == {"entity"}
    assert SchemaField(name="a", type="string", event_id=True, role="entity").definition().roles == {
        "event_id",
        "entity",
    }


def test_settings_may_be_sent_flat_or_nested() -> None:
    start = PipelineConfig(max_record_bytes=5)
    expected = PipelineConfig(mode=DetectMode.MICROBATCH, max_record_bytes=5)
    for body in ({"mode": "microbatch"}, {"config": {"mode": "microbatch"}}):
        assert PipelinePatchRequest.model_validate(body).changes().applied_to(start) == expected
