"""Trials: a version that is tried beside the one in force, compared on the same events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import sqrt

from sentinel.domain.rollout import SURE
from sentinel.domain.rule import RuleSet, RuleVersion

MAX_SAMPLES = 20
# With fewer events nothing is said of a rollout; so much larger a share of unknown outcomes is too much.
LEAST_EVENTS = 1_000
MOST_UNKNOWN = 0.05


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


@dataclass(frozen=True, slots=True)
class TrialTotals:
    """What a trial has shown since it began, on events that both versions were evaluated on.

    Attributes:
        unknown, control_unknown: Events that the version on trial, or the one in force, could not tell.
    """

    evaluated: int
    unknown: int
    control_unknown: int
    both: int
    only_trial: int
    only_control: int

    def objection(self, max_ratio: float) -> str | None:
        """Return why a rollout is to be taken back; None: nothing speaks against it.

        Both versions saw the same events, so what only one of them matches is what differs; it counts where it is no
        chance (three standard deviations of a fair coin).

        Args:
            max_ratio: Matches of one may be so many times those of the other; 0: whatever they are.
        """
        if not max_ratio or self.evaluated < LEAST_EVENTS:
            return None
        more = (self.unknown - self.control_unknown) / self.evaluated
        if more > MOST_UNKNOWN:
            return (
                f"the candidate could not tell {self.unknown:,} of {self.evaluated:,} events, the version in force "
                f"{self.control_unknown:,}"
            )
        candidate, control = self.both + self.only_trial, self.both + self.only_control
        differ, rest = self.only_trial + self.only_control, abs(self.only_trial - self.only_control)
        ratio = max(candidate, 0.5) / max(control, 0.5)
        if rest <= SURE * sqrt(differ) or 1 / max_ratio <= ratio <= max_ratio:
            return None
        return (
            f"the candidate matched {candidate:,} of {self.evaluated:,} events, the version in force {control:,}: "
            f"{ratio:.2g} times as many, allowed is {1 / max_ratio:.2g} to {max_ratio:.2g}"
        )


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
