"""Trials: a version that is tried beside the one in force, compared on the same events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sentinel.domain.rule import RuleSet, RuleVersion

MAX_SAMPLES = 20


class Disagreement(StrEnum):
    """Which of the two versions matched an event alone."""

    ONLY_TRIAL = "only_trial"
    ONLY_CONTROL = "only_control"


@dataclass(frozen=True, slots=True)
class Trial:
    """A version on trial.

    Attributes:
        version: In shadow, or the candidate of a rollout.
        control: The version of the same rule that is in force; None for a rule that is new.
    """

    version: RuleVersion
    control: RuleVersion | None

    @property
    def control_id(self) -> int:
        """The id of the control version; 0 for none."""
        return self.control.rule_version_id if self.control else 0


@dataclass(slots=True)
class TrialCount:
    """Matches of one trial in one hour.

    Attributes:
        both: Events that both versions match.
        only_trial: Those that only the version on trial matches.
        only_control: Those that only the version in force matches.
    """

    both: int = 0
    only_trial: int = 0
    only_control: int = 0


@dataclass(frozen=True, slots=True)
class TrialSample:
    """An event about which the two versions disagree."""

    rule_version_id: int
    kind: Disagreement
    event_id: str
    kafka_partition: int
    kafka_offset: int
    kafka_timestamp: datetime


@dataclass(frozen=True, slots=True)
class TrialHour:
    """One hour of a trial, as it is read.

    Attributes:
        rule_version_id, version: The version on trial.
        control_version: The version it was compared with; None for none.
        evaluated, unknown: Events on which the version on trial was evaluated, and those it could not tell.
    """

    hour: datetime
    rule_version_id: int
    version: int
    control_version: int | None
    evaluated: int
    unknown: int
    both: int
    only_trial: int
    only_control: int


def trials_of(rule_set: RuleSet) -> tuple[Trial, ...]:
    """Return what is on trial in a rule set: its shadow members, and candidates of rollouts beside a control."""
    by_id = {rule.rule_version_id: rule for rule in rule_set.rules}
    candidates = {arms.candidate_id for arms in rule_set.arms}
    in_force = {rule.rule_id: rule for rule in rule_set.rules if rule.rule_version_id not in candidates}
    trials = [Trial(version, in_force.get(version.rule_id)) for version in rule_set.shadow]
    trials += [
        Trial(by_id[arms.candidate_id], by_id[arms.control_id])
        for arms in rule_set.arms
        if arms.control_id is not None and arms.candidate_id in by_id and arms.control_id in by_id
    ]
    return tuple(trials)
