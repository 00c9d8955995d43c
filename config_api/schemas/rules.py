"""Rules, as they are sent and answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StrictBool, StringConstraints, model_validator

from config_api.schemas.base import AnswerModel, Description, RequestModel, Text, Timestamp
from config_api.schemas.event_schemas import SchemaField
from sentinel.catalog.rule_batch import MAX_ENTRIES, RuleEntry
from sentinel.domain.rule import (
    RULE_NAME,
    RolloutPlan,
    Rule,
    RuleContent,
    RuleHistoryEntry,
    RuleState,
    RuleVersion,
    Severity,
)
from sentinel.domain.rule_action import RuleAction
from sentinel.rules.issue import Issue

_EXAMPLE: dict[str, JsonValue] = {
    "rule_expression": "amount > 10000 AND country <> 'DE'",
    "severity": "critical",
    "description": "Large foreign payment",
}
_SHORT_EXAMPLE: dict[str, JsonValue] = {
    "rule_expression": 'when amount > 500 and country != "DE" then notify("slack:#big-orders"), severity("critical")',
    "description": "Large foreign order",
}
Comment = Annotated[Text, StringConstraints(max_length=500)]
RuleName = Annotated[Text, StringConstraints(pattern=rf"^{RULE_NAME.pattern}$")]
_EXPRESSION = "A condition in Spark SQL over the fields of the schema, or `when CONDITION then ACTION, ...`."


class RulePutRequest(RequestModel):
    """The content of a rule."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE, _SHORT_EXAMPLE]})

    rule_expression: Text = Field(description=_EXPRESSION)
    severity: Severity | None = Field(
        default=None,
        description="Needed beside Spark SQL; a rule that is changed keeps its own. The short form may name it itself.",
    )
    description: Description = ""
    comment: Comment = Field(default="", description="Why this version is made; kept with it.")


class RuleChangeRequest(RulePutRequest):
    """The next version of a rule."""

    name: RuleName | None = Field(default=None, description="Its name from now on; without one it keeps its name.")


class RuleCreateRequest(RulePutRequest):
    """A new rule."""

    name: RuleName | None = Field(default=None, description="How other rules refer to it; `rule_<id>` without one.")
    is_active: StrictBool | None = Field(default=None, description="True stands for active, false for paused.")
    state: Literal[RuleState.DRAFT, RuleState.SHADOW, RuleState.ACTIVE, RuleState.PAUSED] | None = Field(
        default=None, description="`active` without one. The expression of a draft may have errors."
    )

    @model_validator(mode="after")
    def _one_state(self) -> RuleCreateRequest:
        if self.is_active is not None and self.state is not None:
            raise ValueError("give either is_active or state")
        return self

    @property
    def first_state(self) -> RuleState:
        """Where the rule begins."""
        return self.state or (RuleState.PAUSED if self.is_active is False else RuleState.ACTIVE)


class RuleEntryRequest(RulePutRequest):
    """One rule of a batch: the next version of one that is there, or a new one."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE]})

    rule_id: int | None = Field(default=None, ge=1, le=2**63 - 1, description="The rule; without one it is added.")
    row_version: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="What it was at when it was read; refused when it no longer is."
    )
    name: RuleName | None = None
    state: Literal[RuleState.DRAFT, RuleState.SHADOW, RuleState.ACTIVE, RuleState.PAUSED] | None = Field(
        default=None, description="Of a rule that is added: where it begins, `active` without one."
    )

    @model_validator(mode="after")
    def _fits(self) -> RuleEntryRequest:
        if self.rule_id is None and self.row_version is not None:
            raise ValueError("row_version is that of a rule that is there; give its rule_id, too")
        if self.rule_id is not None and self.state is not None:
            raise ValueError("a batch moves no rule to another state; use POST /api/rules/{rule_id}/state")
        return self

    @property
    def entry(self) -> RuleEntry:
        """What is asked for."""
        return RuleEntry(
            rule_id=self.rule_id,
            rule_expression=self.rule_expression,
            severity=self.severity,
            description=self.description,
            name=self.name,
            state=self.state or RuleState.ACTIVE,
            expected_version=self.row_version,
            comment=self.comment,
        )


class RuleBatchRequest(RequestModel):
    """Rules to add and to change, in order."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"rules": [_EXAMPLE, {**_EXAMPLE, "rule_id": 7}]}]}
    )

    rules: list[RuleEntryRequest] = Field(min_length=1, max_length=MAX_ENTRIES)


class RuleRollbackRequest(RequestModel):
    """Which version to go back to."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [{"version": 3}]})

    version: int = Field(ge=1, le=2**31 - 1)
    comment: Comment = ""


class RuleStatusRequest(RequestModel):
    """On or off."""

    is_active: StrictBool


class RuleCheckRequest(RequestModel):
    """An expression to check, against a pipeline's schema or against one that is sent along."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"rule_expression": "amount > 10000", "pipeline_id": 1}]},
    )

    rule_expression: Text = Field(description=_EXPRESSION)
    pipeline_id: int | None = Field(default=None, ge=1, le=2**63 - 1)
    fields: list[SchemaField] | None = Field(default=None, alias="schema")
    name: RuleName | None = Field(default=None, description="Of the rule that it is the text of, where it has one.")

    @model_validator(mode="after")
    def _one_schema(self) -> RuleCheckRequest:
        if (self.pipeline_id is None) == (self.fields is None):
            raise ValueError("give either pipeline_id or schema")
        return self


class IssueAnswer(AnswerModel):
    """Something about an expression. `start` and `end` are places in its text, counted in characters."""

    severity: Literal["error", "warning"]
    code: str
    start: int | None = None
    end: int | None = None
    message: str
    suggestion: str | None = None


class ActionAnswer(AnswerModel):
    """What a rule asks for when it matches."""

    kind: Literal["notify", "severity", "tag", "score"]
    value: str | int

    @classmethod
    def of(cls, action: RuleAction) -> ActionAnswer:
        """Build the answer."""
        return cls.model_validate(action.as_json())


class RuleCheckAnswer(AnswerModel):
    """Whether an expression can be a rule."""

    valid: bool
    issues: list[IssueAnswer]
    columns: list[str] = Field(description="Fields of the event that it uses.")
    rule_expression: str = Field(description="The condition in Spark SQL.")
    actions: list[ActionAnswer]


class RolloutAnswer(AnswerModel):
    """For whom the version on trial counts."""

    entity: str = Field(description="The field whose value is hashed.")
    share_percent: float
    salt: str

    @classmethod
    def of(cls, plan: RolloutPlan) -> RolloutAnswer:
        """Build the answer."""
        return cls(entity=plan.entity, share_percent=plan.share / 100, salt=plan.salt)


class CandidateAnswer(AnswerModel):
    """A version that is tried beside the current one."""

    state: RuleState = Field(description="draft, shadow or rollout.")
    version: int
    rule_version_id: int
    rule_expression: str
    short_form: str | None
    actions: list[ActionAnswer]
    severity: Severity
    description: str

    @classmethod
    def of(cls, version: RuleVersion, state: RuleState) -> CandidateAnswer:
        """Build the answer."""
        return cls(
            state=state,
            version=version.version,
            rule_version_id=version.rule_version_id,
            rule_expression=version.condition,
            short_form=version.short_form,
            actions=[ActionAnswer.of(action) for action in version.actions],
            severity=version.severity,
            description=version.description,
        )


class RuleAnswer(AnswerModel):
    """A rule with its current version."""

    id: int
    pipeline_id: int
    name: str = Field(description="Unique among the rules of the pipeline that are not archived.")
    state: RuleState
    candidate: CandidateAnswer | None = Field(description="The version that is tried beside the current one.")
    rollout: RolloutAnswer | None
    issues: list[IssueAnswer] = Field(
        description="Of a draft, also one beside the rule, and of what was just written: what the check says of it."
    )
    rule_expression: str = Field(description="The condition in Spark SQL.")
    short_form: str | None = Field(description="The rule as it was written, where that was in the short form.")
    actions: list[ActionAnswer]
    severity: Severity
    description: str
    is_active: bool
    status: Literal["active", "inactive"]
    version: int = Field(description="Version of its content.")
    rule_version_id: int
    row_version: int = Field(description="Grows with every change, also of its status; the ETag.")
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, rule: Rule, issues: Sequence[Issue] = ()) -> RuleAnswer:
        """Build the answer."""
        return cls(
            id=rule.id,
            pipeline_id=rule.pipeline_id,
            name=rule.name,
            state=rule.state,
            candidate=(
                CandidateAnswer.of(rule.candidate, rule.candidate_state)
                if rule.candidate and rule.candidate_state
                else None
            ),
            rollout=None if rule.rollout is None else RolloutAnswer.of(rule.rollout),
            issues=[IssueAnswer.model_validate(issue.as_json()) for issue in issues],
            rule_expression=rule.current.condition,
            short_form=rule.current.short_form,
            actions=[ActionAnswer.of(action) for action in rule.current.actions],
            severity=rule.current.severity,
            description=rule.current.description,
            is_active=rule.is_active,
            status="active" if rule.is_active else "inactive",
            version=rule.current.version,
            rule_version_id=rule.current.rule_version_id,
            row_version=rule.version,
            created_at=rule.created_at,
            updated_at=rule.updated_at,
        )


class RuleBatchAnswer(AnswerModel):
    """What a batch wrote."""

    rule_set_version: int = Field(description="The rule set with all of it.")
    rules: list[RuleAnswer] = Field(description="In the order of the request.")


class ChangeAnswer(AnswerModel):
    """What a version changed."""

    field: Literal["rule_expression", "severity", "description", "short_form", "actions"]
    before: JsonValue
    after: JsonValue


class RuleDiffAnswer(AnswerModel):
    """What lies between two versions of a rule."""

    rule_id: int
    from_version: int
    to_version: int
    changes: list[ChangeAnswer]

    @classmethod
    def of(cls, before: RuleHistoryEntry, after: RuleHistoryEntry) -> RuleDiffAnswer:
        """Build the answer."""
        return cls.model_validate(
            {
                "rule_id": after.version.rule_id,
                "from_version": before.version.version,
                "to_version": after.version.version,
                "changes": _changes(before, after),
            }
        )


class RuleVersionAnswer(AnswerModel):
    """One version of a rule; it never changes."""

    version: int
    rule_version_id: int
    rule_expression: str
    short_form: str | None
    actions: list[ActionAnswer]
    severity: Severity
    description: str
    content_hash: str = Field(description="Equal for equal content.")
    comment: str
    created_by: str
    created_at: Timestamp
    changes: list[ChangeAnswer] = Field(description="Against the version before; empty for the first one.")

    @classmethod
    def of(cls, entry: RuleHistoryEntry, before: RuleHistoryEntry | None) -> RuleVersionAnswer:
        """Build the answer."""
        content = _fields_of(entry.version.content)
        return cls.model_validate(
            {
                **content,
                "version": entry.version.version,
                "rule_version_id": entry.version.rule_version_id,
                "content_hash": entry.content_hash,
                "comment": entry.comment,
                "created_by": entry.created_by,
                "created_at": entry.created_at,
                "changes": _changes(before or entry, entry),
            }
        )


def _changes(before: RuleHistoryEntry, after: RuleHistoryEntry) -> list[dict[str, JsonValue]]:
    old = _fields_of(before.version.content)
    return [
        {"field": name, "before": old[name], "after": value}
        for name, value in _fields_of(after.version.content).items()
        if value != old[name]
    ]


def _fields_of(content: RuleContent) -> dict[str, JsonValue]:
    return {
        "rule_expression": content.condition,
        "short_form": content.short_form,
        "actions": [action.as_json() for action in content.actions],
        "severity": content.severity.value,
        "description": content.description,
    }
