"""What a rollout has shown so far, and whether it should go on."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

BUCKETS = 10_000
# So many standard deviations are no chance: about 1 in 370 looks at an equal candidate would pass it.
SURE = 3.0


@dataclass(frozen=True, slots=True)
class ArmCount:
    """Alerts of one arm while the rollout had one share.

    Attributes:
        share: Of 10,000 buckets, how many the candidate decided.
        is_candidate: Whether these are the candidate's, rather than the control's.
        entity_count: How many different entities they are about.
    """

    share: int
    is_candidate: bool
    version: int
    rule_version_id: int
    match_count: int
    entity_count: int


def guard_rail(control: int, candidate: int, share: int, *, max_ratio: float = 2.0, least: int = 30) -> str | None:
    """Return why a rollout should be rolled back: the candidate matches far more, or far fewer, entities.

    Entities with a match are held against the share of all entities that each arm decides, so no count of events is
    needed; and not matches, since one busy entity may have thousands of them. A difference counts where it is larger
    than `max_ratio`, in either direction, and no chance: were both arms equal, the candidate's entities would be
    binomial with the share as their probability.

    Args:
        control, candidate: Different entities with a match in each arm, counted while the share was what it is.
        share: Of 10,000 buckets, how many the candidate decides; with all of them there is nothing to compare with.
        least: With fewer entities in all nothing is said.
    """
    total = control + candidate
    if not 0 < share < BUCKETS or total < least:
        return None
    expected = total * share / BUCKETS
    deviation = sqrt(expected * (1 - share / BUCKETS))
    if abs(candidate - expected) <= SURE * deviation:
        return None
    rate = (candidate / share) / max(control / (BUCKETS - share), 0.5 / (BUCKETS - share))
    if 1 / max_ratio <= rate <= max_ratio:
        return None
    return (
        f"the candidate matched {candidate} entities of a share of {share / 100:g} %, the control {control} of the "
        f"others: {rate:.2g} times as many, allowed is {1 / max_ratio:.2g} to {max_ratio:.2g}"
    )
