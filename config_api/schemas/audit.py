"""Audit entries, as they are answered."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from config_api.schemas.base import AnswerModel, Timestamp


class AuditAnswer(AnswerModel):
    """One change that somebody made."""

    id: int
    pipeline_id: int | None
    actor: str = Field(description="The name of an API key.")
    action: str = Field(examples=["rule.change"])
    object_type: str = Field(examples=["rule"])
    object_id: int
    object_name: str
    before: dict[str, Any] | None = Field(description="The fields that it changed, as they were; null for an addition.")
    after: dict[str, Any] | None = Field(description="The same fields as they are since; null for a removal.")
    comment: str
    created_at: Timestamp
