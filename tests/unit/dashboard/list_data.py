"""Lists as the API answers them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.unit.dashboard.conftest import HOSTILE, NOW, StubApi

COLUMNS = [
    {"name": "user_id", "type": "string", "nullable": False},
    {"name": "level", "type": "integer", "nullable": True},
    {"name": "note", "type": "string", "nullable": True},
]


def reference_list(name: str = "users", **more: Any) -> dict[str, Any]:
    """Return a list."""
    return {
        "id": 1, "name": name, "description": HOSTILE, "columns": COLUMNS, "key": "user_id", "version": 3,
        "row_count": 2, "size_bytes": 40, "content_hash": "00", "created_at": NOW, "updated_at": NOW, **more,
    }  # fmt: skip


def row(key: str, **more: Any) -> dict[str, Any]:
    """Return a row."""
    return {"key": key, "values": {"user_id": key, "level": 2**60, "note": HOSTILE, **more}, "expires_at": None}


def version(number: int) -> dict[str, Any]:
    """Return a version."""
    return {
        "version": number, "cause": "upload", "comment": HOSTILE, "created_by": "ann (key:3)", "created_at": NOW,
        "row_count": 2, "content_hash": "00", "added_count": 1, "changed_count": 1, "removed_count": 0,
    }  # fmt: skip


CHANGES: list[dict[str, Any]] = [
    {"key": "u1", "change": "changed", "before": row("u1", level=1), "after": row("u1", level=9)},
    {"key": HOSTILE, "change": "removed", "before": row(HOSTILE), "after": None},
    {"key": "u3", "change": "added", "before": None, "after": row("u3")},
]
PREVIEW: dict[str, Any] = {
    "version": 3, "row_count": 2, "added_count": 1, "changed_count": 1, "removed_count": 1, "expired_count": 4,
    "pipelines": [7], "changes": CHANGES,
}  # fmt: skip
CHANGED: dict[str, Any] = {
    **reference_list(version=4), "changed": True, "added_count": 1, "changed_count": 1, "removed_count": 1,
    "expired_count": 0, "pipelines": [7],
}  # fmt: skip


def pages(found: list[dict[str, Any]]) -> Any:
    """Return what answers pages of rows or changes in the order of their keys."""

    def answer(request: httpx.Request) -> httpx.Response:
        after, key = request.url.params.get("after"), request.url.params.get("key")
        fitting = [each for each in found if (after is None or each["key"] > after) and key in {None, each["key"]}]
        return httpx.Response(200, json=fitting[: int(request.url.params["limit"])])

    return answer


def fill(stub: StubApi, rows: list[dict[str, Any]] | None = None) -> StubApi:
    """Let a stub answer all that the page of lists asks for."""
    stub.answers |= {
        "GET /api/lists": [reference_list(), reference_list("closed", id=2, row_count=0)],
        "GET /api/lists/users": {**reference_list(), "read_by": [{"pipeline_id": 7, "rule_id": 11}]},
        "GET /api/lists/users/rows": pages(rows if rows is not None else [row("u1"), row("u2")]),
        "GET /api/lists/users/versions": [version(3), version(2), version(1)],
        "GET /api/lists/users/diff": pages(CHANGES),
        "POST /api/lists/users/rows/preview": PREVIEW,
    }
    return stub
