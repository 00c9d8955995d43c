"""Who the caller is, as it is answered."""

from __future__ import annotations

from pydantic import Field

from config_api.schemas.base import AnswerModel, Timestamp
from sentinel.domain.api_key import Scope


class CallerAnswer(AnswerModel):
    """Who calls, and what they may do."""

    tenant_id: str
    name: str = Field(description="As it stands in the audit.", examples=["deploy (key:3)"])
    scopes: list[Scope] = Field(description="What is allowed, scopes that include others spelled out.")
    open: bool = Field(description="No key was needed.")
    expires_at: Timestamp | None = Field(description="When the key does; null: never.")
