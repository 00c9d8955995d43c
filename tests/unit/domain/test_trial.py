"""When a rollout is taken back."""

from __future__ import annotations

import pytest

from sentinel.domain.rule import Arms, RolloutPlan, RuleSet, RuleVersion, Severity
from sentinel.domain.trial import TrialTotals, trials_of

CALM = {"evaluated": 10_000, "unknown": 0, "control_unknown": 0, "both": 100, "only_trial": 0, "only_control": 0}


@pytest.mark.parametrize(
    ("changed", "max_ratio", "says"),
    [
        ({}, 2.0, None),
        ({"only_trial": 100}, 2.0, None),  # twice as many is allowed
        ({"only_trial": 120}, 2.0, "220 of 10,000 events, the version in force 100: 2.2 times"),
        ({"only_trial": 120}, 3.0, None),
        ({"only_trial": 120}, 0.0, None),
        ({"both": 0, "only_trial": 8}, 2.0, None),  # may be chance
        ({"both": 0, "only_trial": 10}, 2.0, "20 times"),
        ({"both": 10, "only_control": 90}, 2.0, "matched 10 of 10,000 events, the version in force 100"),
        ({"both": 0, "only_control": 90}, 2.0, "matched 0 of 10,000 events"),
        ({"unknown": 500}, 2.0, None),
        ({"unknown": 501}, 2.0, "could not tell 501 of 10,000 events, the version in force 0"),
        ({"unknown": 5_000, "control_unknown": 4_900}, 2.0, None),
        ({"evaluated": 999, "unknown": 900, "only_trial": 99}, 2.0, None),
    ],
)
def test_it_objects_to_what_is_no_chance(changed: dict[str, int], max_ratio: float, says: str | None) -> None:
    found = TrialTotals(**{**CALM, **changed}).objection(max_ratio)
    assert (found is None) == (says is None), found
    assert says is None or says in str(found)


def test_trials_are_shadows_and_candidates_with_their_controls() -> None:
    def version(rule_id: int, version_id: int) -> RuleVersion:
        return RuleVersion(rule_id, version_id, 1, "true", Severity.INFO, "")

    plan = RolloutPlan("user_id", 1000, "s")
    rule_set = RuleSet(
        1,
        (version(1, 10), version(2, 20), version(2, 21), version(3, 30)),
        shadow=(version(1, 11), version(2, 22), version(4, 40)),
        arms=(Arms(2, 21, 20, plan), Arms(3, 30, None, plan)),
    )
    found = {trial.version.rule_version_id: trial.control_id for trial in trials_of(rule_set)}
    assert found == {11: 10, 22: 20, 40: 0, 21: 20}
