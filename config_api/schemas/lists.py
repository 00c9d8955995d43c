"""Lists, as they are sent and answered."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from config_api.schemas.base import AnswerModel, Description, RequestModel, Storable, Text, Timestamp
from sentinel.catalog.lists import ColumnDefinition, ListChange, ListPreview
from sentinel.domain.reference_list import (
    CellValue,
    ListDefinition,
    ListRow,
    ListVersion,
    ReferenceList,
    RowChange,
    row_values,
)

Comment = Annotated[Text, StringConstraints(max_length=1000)]
Rows = list[dict[str, Any]]


class ListColumn(RequestModel):
    """A column of a list."""

    name: Annotated[Text, StringConstraints(max_length=200)] = Field(examples=["user_id"])
    type: Annotated[Text, StringConstraints(max_length=200)] = Field(
        examples=["string"], description="string, integer, float, boolean, timestamp, date or decimal(p,s)."
    )
    nullable: bool | None = Field(default=None, description="Default: true, but false for the key.")

    def definition(self) -> ColumnDefinition:
        """Return the column as the catalog takes it."""
        return ColumnDefinition(self.name, self.type, self.nullable)


class ListCreateRequest(RequestModel):
    """A new list."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "whitelist_table",
                    "columns": [{"name": "user_id", "type": "string"}, {"name": "note", "type": "string"}],
                    "key": "user_id",
                    "rows": [{"user_id": "u-1", "note": "test account"}],
                }
            ]
        }
    )

    name: Annotated[Text, StringConstraints(max_length=200)] = Field(
        description="What rules call it: lower-case letters, digits and _, from a letter on."
    )
    columns: list[ListColumn] = Field(max_length=1000)
    key: Annotated[Text, StringConstraints(max_length=200)] = Field(
        description="The column that is unique and not null."
    )
    description: Description = ""
    rows: Rows = Field(default=[], description="Column -> value; `expires_at` besides, from when on the row is gone.")
    comment: Comment = ""


class ListUploadRequest(RequestModel):
    """All rows of a list."""

    rows: Rows = Field(description="Column -> value; `expires_at` besides, from when on the row is gone.")
    comment: Comment = ""


class ListEditRequest(RequestModel):
    """Single rows of a list."""

    upsert: Rows = Field(default=[], description="Rows to add, in place of those with the same keys.")
    delete: list[Annotated[Any, Storable]] = Field(default=[], description="Keys of rows to delete.")
    comment: Comment = ""


class ListColumnAnswer(AnswerModel):
    """A column of a list."""

    name: str
    type: str
    nullable: bool


class ListAnswer(AnswerModel):
    """A list. `version` is that of its rows, and its ETag."""

    id: int
    name: str
    description: str
    columns: list[ListColumnAnswer]
    key: str
    version: int
    row_count: int
    size_bytes: int
    content_hash: str = Field(description="SHA-256 over all rows: equal for equal rows.")
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def members(cls, found: ReferenceList) -> dict[str, Any]:
        """Return the members of the answer."""
        definition = found.definition
        return {
            "id": found.id,
            "name": definition.name,
            "description": found.description,
            "columns": [
                ListColumnAnswer(name=column.name, type=str(column.type), nullable=column.nullable)
                for column in definition.columns
            ],
            "key": definition.key,
            "version": found.version,
            "row_count": found.row_count,
            "size_bytes": found.size_bytes,
            "content_hash": found.content_hash,
            "created_at": found.created_at,
            "updated_at": found.updated_at,
        }


class ListReaderAnswer(AnswerModel):
    """An active rule that reads a list."""

    pipeline_id: int
    rule_id: int


class ListDetailAnswer(ListAnswer):
    """A list and who reads it."""

    read_by: list[ListReaderAnswer]


class ListChangeAnswer(ListAnswer):
    """The list after a change, and what the change came to."""

    changed: bool = Field(description="False: the rows were these already, and there is no new version.")
    added_count: int
    changed_count: int
    removed_count: int
    expired_count: int = Field(description="Rows of the request that were left out because their time is over.")
    pipelines: list[int] = Field(description="Pipelines whose running job takes the new version.")

    @classmethod
    def of(cls, change: ListChange) -> ListChangeAnswer:
        """Build the answer."""
        return cls(
            **cls.members(change.list),
            changed=change.changed,
            added_count=change.counts.added,
            changed_count=change.counts.changed,
            removed_count=change.counts.removed,
            expired_count=change.expired,
            pipelines=list(change.pipelines),
        )


class ListVersionAnswer(AnswerModel):
    """One version of a list's rows."""

    version: int
    cause: str = Field(description="created, upload, edit or expiry.")
    comment: str
    created_by: str
    created_at: Timestamp
    row_count: int
    size_bytes: int
    content_hash: str
    added_count: int
    changed_count: int
    removed_count: int

    @classmethod
    def of(cls, version: ListVersion) -> ListVersionAnswer:
        """Build the answer."""
        return cls(
            version=version.version,
            cause=version.cause,
            comment=version.comment,
            created_by=version.created_by,
            created_at=version.created_at,
            row_count=version.row_count,
            size_bytes=version.size_bytes,
            content_hash=version.content_hash,
            added_count=version.added,
            changed_count=version.changed,
            removed_count=version.removed,
        )


class ListRowAnswer(AnswerModel):
    """A row. Decimals are texts, so that no digit is lost."""

    key: str
    values: dict[str, Any]
    expires_at: Timestamp | None

    @classmethod
    def of(cls, definition: ListDefinition, row: ListRow) -> ListRowAnswer:
        """Build the answer."""
        values = {name: _shown(value) for name, value in row_values(definition, row).items()}
        return cls(key=row.key, values=values, expires_at=row.expires_at)


class RowChangeAnswer(AnswerModel):
    """What became of a key: `before` null: added, `after` null: removed."""

    key: str
    change: str
    before: ListRowAnswer | None
    after: ListRowAnswer | None

    @classmethod
    def of(cls, definition: ListDefinition, change: RowChange) -> RowChangeAnswer:
        """Build the answer."""
        before, after = (
            ListRowAnswer.of(definition, row) if row is not None else None for row in (change.before, change.after)
        )
        kind = "added" if before is None else "removed" if after is None else "changed"
        return cls(key=change.key, change=kind, before=before, after=after)


class ListPreviewAnswer(AnswerModel):
    """What an upload would change."""

    version: int = Field(description="The version that it was held against; send it as `If-Match` with the upload.")
    row_count: int = Field(description="Rows that the list would have then.")
    added_count: int
    changed_count: int
    removed_count: int
    expired_count: int = Field(description="Rows of the upload that would be left out because their time is over.")
    pipelines: list[int] = Field(description="Pipelines whose running job would take the new version.")
    changes: list[RowChangeAnswer] = Field(description="The first of them, in the order of their keys.")

    @classmethod
    def of(cls, preview: ListPreview) -> ListPreviewAnswer:
        """Build the answer."""
        return cls(
            version=preview.list.version,
            row_count=preview.row_count,
            added_count=preview.counts.added,
            changed_count=preview.counts.changed,
            removed_count=preview.counts.removed,
            expired_count=preview.expired,
            pipelines=list(preview.pipelines),
            changes=[RowChangeAnswer.of(preview.list.definition, change) for change in preview.changes],
        )


def _shown(value: CellValue) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value).replace("+00:00", "Z")
