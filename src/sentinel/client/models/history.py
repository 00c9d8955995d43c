"""Backtests, refills and labels."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sentinel.client.models.base import Model


class TaskFailure(Model):
    """Why a backtest or a refill failed."""

    slug: str
    message: str


class HistoryTask(Model):
    """A backtest or a refill: how far it is, and its result once it is done."""

    id: int
    pipeline_id: int
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: dict[str, Any]
    request: dict[str, Any]
    result: dict[str, Any] | None = None
    error: TaskFailure | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None


class LabelSet(Model):
    """Labels that were uploaded."""

    id: int
    pipeline_id: int
    name: str
    label_count: int
    true_count: int
    content_hash: str
    created_at: datetime
