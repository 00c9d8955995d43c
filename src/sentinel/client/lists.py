"""The calls about lists, and what they answer."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sentinel.client.models import Model
from sentinel.client.transport import Transport

UPLOAD_SECONDS = 300.0


class ListColumn(Model):
    """A column of a list."""

    name: str
    type: str
    nullable: bool


class ReferenceList(Model):
    """A list. `version` is that of its rows."""

    id: int
    name: str
    description: str
    columns: list[ListColumn]
    key: str
    version: int
    row_count: int
    size_bytes: int
    content_hash: str
    created_at: datetime
    updated_at: datetime


class ListReader(Model):
    """An active rule that reads a list."""

    pipeline_id: int
    rule_id: int


class ListDetail(ReferenceList):
    """A list and who reads it."""

    read_by: list[ListReader]


class ListChange(ReferenceList):
    """A list after a change. `changed` False: the rows were these already."""

    changed: bool
    added_count: int
    changed_count: int
    removed_count: int
    expired_count: int
    pipelines: list[int]


class ListVersion(Model):
    """One version of a list's rows."""

    version: int
    cause: str
    comment: str
    created_by: str
    created_at: datetime
    row_count: int
    content_hash: str
    added_count: int
    changed_count: int
    removed_count: int


class ListRow(Model):
    """A row; decimals, dates and timestamps are texts."""

    key: str
    values: dict[str, Any]
    expires_at: datetime | None


class RowChange(Model):
    """What became of a key: added, changed or removed."""

    key: str
    change: str
    before: ListRow | None
    after: ListRow | None


class ListPreview(Model):
    """What an upload would change, held against `version`; `changes` are the first of them."""

    version: int
    row_count: int
    added_count: int
    changed_count: int
    removed_count: int
    expired_count: int
    pipelines: list[int]
    changes: list[RowChange]


class ListCalls(Transport):
    """Part of the client."""

    def create_list(
        self,
        name: str,
        columns: Sequence[Mapping[str, Any]],
        key: str,
        *,
        description: str = "",
        rows: Sequence[Mapping[str, Any]] = (),
    ) -> ListChange:
        """Create a list, with its first rows.

        Raises:
            InvalidError: The definition or a row cannot work; `details` lists everything.
            ConflictError: The name is taken.
        """
        body = {
            "name": name,
            "columns": [dict(column) for column in columns],
            "key": key,
            "description": description,
            "rows": [dict(row) for row in rows],
        }
        return ListChange.model_validate(self._send("POST", "/api/lists", body).json())

    def list_lists(self) -> list[ReferenceList]:
        """Return all lists, by name."""
        return [ReferenceList.model_validate(item) for item in self._get("/api/lists").json()]

    def get_list(self, name: str) -> ListDetail:
        """Return a list and the rules that read it."""
        return ListDetail.model_validate(self._get(_path(name)).json())

    def delete_list(self, name: str, *, if_version: int | None = None) -> None:
        """Delete a list that no rule ever read."""
        headers = {} if if_version is None else {"If-Match": f'"{if_version}"'}
        self._request("DELETE", _path(name), headers=headers)

    def upload_list(self, name: str, csv: bytes, *, comment: str = "", if_version: int | None = None) -> ListChange:
        """Make a CSV text with a heading all rows of a list.

        Raises:
            InvalidError: The upload is broken; `details` names line, column and value, and nothing was changed.
            VersionMismatchError: The list is no longer at `if_version`.
        """
        headers = {"Content-Type": "text/csv", "Idempotency-Key": uuid.uuid4().hex}
        if if_version is not None:
            headers["If-Match"] = f'"{if_version}"'
        answer = self._request(
            "PUT",
            f"{_path(name)}/rows",
            content=csv,
            params={"comment": comment},
            headers=headers,
            timeout=UPLOAD_SECONDS,
        )
        return ListChange.model_validate(answer.json())

    def preview_upload(self, name: str, csv: bytes, *, limit: int = 100) -> ListPreview:
        """Say what `upload_list` would change, and change nothing.

        Args:
            limit: Changes that are shown.

        Raises:
            InvalidError: The upload is broken; `details` names line, column and value.
        """
        answer = self._request(
            "POST",
            f"{_path(name)}/rows/preview",
            content=csv,
            params={"limit": limit},
            headers={"Content-Type": "text/csv"},
            timeout=UPLOAD_SECONDS,
        )
        return ListPreview.model_validate(answer.json())

    def replace_list_rows(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        comment: str = "",
        if_version: int | None = None,
    ) -> ListChange:
        """Make these all rows of a list; as `upload_list`."""
        body = {"rows": [dict(row) for row in rows], "comment": comment}
        answer = self._send("PUT", f"{_path(name)}/rows", body, if_version=if_version)
        return ListChange.model_validate(answer.json())

    def edit_list(
        self,
        name: str,
        *,
        upsert: Sequence[Mapping[str, Any]] = (),
        delete: Sequence[Any] = (),
        comment: str = "",
        if_version: int | None = None,
    ) -> ListChange:
        """Add rows, in place of those with the same keys, and delete rows by key."""
        body = {"upsert": [dict(row) for row in upsert], "delete": list(delete), "comment": comment}
        answer = self._send("POST", f"{_path(name)}/rows", body, if_version=if_version)
        return ListChange.model_validate(answer.json())

    def list_list_versions(self, name: str) -> list[ListVersion]:
        """Return all versions, newest first."""
        return [ListVersion.model_validate(item) for item in self._get(f"{_path(name)}/versions").json()]

    def list_list_rows(
        self,
        name: str,
        *,
        version: int | None = None,
        key: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[ListRow]:
        """Return rows of a version in the order of their keys, from after a key on."""
        answer = self._get(f"{_path(name)}/rows", version=version, key=key, after=after, limit=limit)
        return [ListRow.model_validate(item) for item in answer.json()]

    def list_list_diff(
        self, name: str, before: int, after: int | None = None, *, from_key: str | None = None, limit: int = 100
    ) -> list[RowChange]:
        """Return what became of each key from one version to a later one, from after a key on."""
        wanted = {"from": before, "to": after, "after": from_key, "limit": limit}
        return [RowChange.model_validate(item) for item in self._get(f"{_path(name)}/diff", **wanted).json()]

    def iterate_list_rows(self, name: str, *, version: int | None = None, key: str | None = None) -> Iterator[ListRow]:
        """Yield the rows of a version, page by page, in the order of their keys."""
        answer = self._get(f"{_path(name)}/rows", version=version, key=key, limit=1000)
        yield from map(ListRow.model_validate, answer.json())
        while "next" in answer.links:
            answer = self._request("GET", answer.links["next"]["url"])
            yield from map(ListRow.model_validate, answer.json())

    def iterate_list_diff(self, name: str, before: int, after: int | None = None) -> Iterator[RowChange]:
        """Yield what became of each key from one version to a later one, page by page."""
        answer = self._get(f"{_path(name)}/diff", **{"from": before, "to": after, "limit": 1000})
        yield from map(RowChange.model_validate, answer.json())
        while "next" in answer.links:
            answer = self._request("GET", answer.links["next"]["url"])
            yield from map(RowChange.model_validate, answer.json())


def _path(name: str) -> str:
    return f"/api/lists/{quote(name, safe='')}"
