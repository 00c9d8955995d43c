"""Backfills of webhook sources, as they are sent and answered."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from config_api.schemas.base import AnswerModel, Moment, RequestModel, SecretText, Timestamp
from sentinel.domain.webhook_backfill import Backfill


class BackfillKeyRequest(RequestModel):
    """With which key the provider is asked."""

    api_key: Annotated[
        SecretText,
        Field(max_length=512, description="A restricted key (`rk_...`) that may read Events. It is never answered."),
    ]


class BackfillRequest(RequestModel):
    """What is asked for."""

    since: Moment | None = Field(
        default=None,
        description="From this time on, at most 30 days ago. Without it a range that is not complete goes on, else one "
        "begins where the last one ended.",
    )
    only_failed: bool = Field(
        default=True, description="Only events with a delivery that failed or is pending; false: all events."
    )


class BackfillAnswer(AnswerModel):
    """How far a backfill is."""

    api_key_hint: str = Field(description="The key's last characters.")
    is_encrypted: bool
    key_added_at: Timestamp
    key_added_by: str
    since: Timestamp | None = Field(description="Of the range that was begun last; null: none was.")
    until: Timestamp | None
    only_failed: bool
    is_complete: bool = Field(description="false: send the request again, and it goes on.")
    stored: int = Field(description="Events that were missing.")
    duplicate: int = Field(description="They were there.")
    conflict: int = Field(description="Their id was there with other content.")
    refused: int = Field(description="They cannot be kept; `.../attempts` has them.")
    covered_until: Timestamp | None
    updated_at: Timestamp | None

    @classmethod
    def of(cls, found: Backfill) -> Self:
        """Describe a backfill."""
        return cls(
            api_key_hint=found.key_hint,
            is_encrypted=found.is_encrypted,
            key_added_at=found.key_added_at,
            key_added_by=found.key_added_by,
            since=found.range.start if found.range else None,
            until=found.range.end if found.range else None,
            only_failed=found.range.only_failed if found.range else True,
            is_complete=found.is_complete,
            stored=found.counts.stored,
            duplicate=found.counts.duplicate,
            conflict=found.counts.conflict,
            refused=found.counts.refused,
            covered_until=found.covered_until,
            updated_at=found.updated_at,
        )
