"""The short form of the campaign: faults that happen in turn to one flow, and the oracle once at the end.

A driver's start, a flow that settles and the oracle take most of the time of a case. What is lost or doubled by any of
these faults is found here as it is there; which of them it was, is for the whole campaign to say.
"""

from __future__ import annotations

from functools import partial

from sentinel.domain.pipeline import DetectMode
from tests.chaos.cases_driver import checkpoint_lost
from tests.chaos.cases_stores import away, bad_lake, cut_unread, flushed, with_between
from tests.chaos.ground import Case, Ground
from tests.support.job import SHORT_LIVED

STOPPED_SECONDS = 20.0
# A quarter of what flows in the campaign: here other tests run beside it.
RATE = 250


def _killed(fault: str, ground: Ground) -> None:
    """Wait until a fault has killed the driver, and the next one works."""
    ground.wait_fault(fault)
    ground.wait_alerts(240)


def _killed_between_generations(ground: Ground) -> None:
    ground.bench.add_rule(ground.pipeline_id, "never", "amount < 0")
    _killed("generation_switched", ground)


def _driver_in_turn(ground: Ground) -> None:
    _killed("after_commit", ground)
    checkpoint_lost(ground)
    ground.wait_alerts(240)
    _killed_between_generations(ground)


def _everything_in_turn(ground: Ground) -> None:
    _killed("archive_planned", ground)
    _killed_between_generations(ground)
    stores = (
        partial(away, "postgres", ground, STOPPED_SECONDS),
        partial(flushed, ground, STOPPED_SECONDS),
        partial(bad_lake, "unavailable", STOPPED_SECONDS, ground),
        partial(cut_unread, ground),
    )
    for happens in stores:
        happens()
        ground.wait_alerts(240)
        ground.wait_archived()


# Each fault acts once, in whichever driver runs then.
SHORT = (
    Case(
        "driver and stores in turn",
        "kill -9 in the Delta commit and between generations; PostgreSQL, Redis (flushed) and the lake away for 20 s"
        " each; retention cuts unread records",
        _everything_in_turn,
        rate=RATE,
        modes=(DetectMode.REALTIME,),
        environment=lambda ground: {
            **SHORT_LIVED,
            "SENTINEL_TEST_FAULTS": "archive_planned:2=kill+0.3,generation_switched:2=kill",
            **with_between(ground),
        },
    ),
    Case(
        "driver in turn",
        "kill -9 after a commit, with lost checkpoints, and between generations",
        _driver_in_turn,
        rate=RATE,
        modes=(DetectMode.MICROBATCH,),
        environment=lambda _ground: {
            **SHORT_LIVED,
            "SENTINEL_TEST_FAULTS": "after_commit:2=kill,generation_switched:2=kill",
        },
    ),
)
