"""The problem document, for the API's own description."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ProblemItem(BaseModel):
    """One thing that is wrong."""

    pointer: str | None = Field(default=None, description="JSON pointer (RFC 6901) into the body.")
    parameter: str | None = Field(default=None, description="Name of the path, query or header parameter.")
    detail: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:sentinel:problem:not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no pipeline 7"])
    instance: str = Field(examples=["/api/pipelines/7"])
    request_id: str
    errors: list[ProblemItem] | None = None
    plan: dict[str, Any] | None = Field(default=None, description="What a breaking schema change would do.")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of the errors that an endpoint answers with, besides those that all do."""
    return {
        status: {"model": Problem, "content": {"application/problem+json": {}}}
        for status in (401, 403, *statuses, 422, 503)
    }
