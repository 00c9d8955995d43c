"""Many rules added and changed at once: all of it or nothing, and one rule set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sentinel.catalog.publishing import Publisher
from sentinel.catalog.rules import RuleCatalog
from sentinel.domain.rule import Rule, RuleState, Severity
from sentinel.errors import (
    ConflictError,
    ErrorDetail,
    InvalidError,
    InvalidRuleError,
    NotFoundError,
    SentinelError,
    VersionMismatchError,
)

MAX_ENTRIES = 1000
MAX_TOLD = 100
"""Things told of a batch that cannot be; the others are counted."""


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """What one rule is to be.

    Attributes:
        rule_id: None: it is added.
        state: Where a rule that is added begins.
        expected_version: Of a rule that is there; None: whatever it is at.
    """

    rule_id: int | None
    rule_expression: str
    severity: Severity | None
    description: str
    name: str | None = None
    state: RuleState = RuleState.ACTIVE
    expected_version: int | None = None
    comment: str = ""


class RuleBatch:
    """Writes many rules of a pipeline in one unit of work."""

    def __init__(self, rules: RuleCatalog, publisher: Publisher) -> None:
        self._rules = rules
        self._publisher = publisher

    def write(self, pipeline_id: int, entries: Sequence[RuleEntry]) -> list[Rule]:
        """Add and change rules in the order given, so that one may refer to those before it.

        Returns:
            The rules as they are afterwards, in that order.

        Raises:
            NotFoundError: There is no such pipeline.
            InvalidError, ConflictError, VersionMismatchError: Entries cannot be; `details` tell which and why, and the
                unit of work has to be given up.
        """
        pipeline = self._rules.locked(pipeline_id)
        if len({entry.rule_id for entry in entries if entry.rule_id is not None}) < sum(
            entry.rule_id is not None for entry in entries
        ):
            raise InvalidError("a rule is named twice; a batch writes one version of each")
        written: list[Rule] = []
        refused: list[tuple[int, SentinelError]] = []
        with self._publisher.at_once(pipeline):
            for number, entry in enumerate(entries):
                try:
                    written.append(self._write(pipeline_id, entry))
                except (InvalidError, ConflictError, NotFoundError) as error:
                    refused.append((number, error))
            if refused:
                raise _refusal(refused, len(entries))
        # What refers to a rule may have been written after it, so each is read once more, at the end.
        return [self._rules.get(rule.id) for rule in written]

    def _write(self, pipeline_id: int, entry: RuleEntry) -> Rule:
        if entry.rule_id is None:
            return self._rules.add(
                pipeline_id,
                rule_expression=entry.rule_expression,
                severity=entry.severity,
                description=entry.description,
                name=entry.name,
                state=entry.state,
                comment=entry.comment,
            )
        if self._rules.get(entry.rule_id).pipeline_id != pipeline_id:
            raise NotFoundError(f"pipeline {pipeline_id} has no rule {entry.rule_id}")
        return self._rules.change(
            entry.rule_id,
            rule_expression=entry.rule_expression,
            severity=entry.severity,
            description=entry.description,
            expected_version=entry.expected_version,
            name=entry.name,
            comment=entry.comment,
        )


def _refusal(refused: Sequence[tuple[int, SentinelError]], count: int) -> SentinelError:
    """Return one error for all: what can never work comes before what is in the way today."""
    details = [detail for number, error in refused for detail in _details(number, error)]
    more = f"; {len(details) - MAX_TOLD} more things are wrong" if len(details) > MAX_TOLD else ""
    errors = [error for _, error in refused]
    kind: type[SentinelError] = ConflictError
    if any(isinstance(error, InvalidError) for error in errors):
        kind = InvalidError
    elif all(isinstance(error, VersionMismatchError) for error in errors):
        kind = VersionMismatchError
    return kind(
        f"{len(refused)} of {count} rules cannot be written, so none was: "
        f"{details[0].pointer}: {details[0].detail}{more}",
        details=details[:MAX_TOLD],
    )


def _details(number: int, error: SentinelError) -> Iterator[ErrorDetail]:
    place = f"/rules/{number}"
    if isinstance(error, InvalidRuleError):
        for issue in error.issues:
            if issue["severity"] == "error":
                suggestion = f" {issue['suggestion']}" if issue.get("suggestion") else ""
                yield ErrorDetail(f"{place}/rule_expression", f"{issue['message']}{suggestion}")
        return
    yield ErrorDetail(place, error.message)
    for detail in error.details:
        if detail.detail not in error.message:
            yield ErrorDetail(f"{place}{detail.pointer}", detail.detail)
