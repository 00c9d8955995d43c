"""The command: options, order of the steps, exit code."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sentinel.cli.demo.example import load_example
from sentinel.cli.demo.report import print_report
from sentinel.cli.demo.scenario import Plan, Scenario
from sentinel.clock import utc_now
from sentinel.settings import Settings
from sentinel.workload.status_line import StatusLine


def demo(
    *,
    seconds: Annotated[float, typer.Option(help="How long traffic flows.", min=10, max=3_600)] = 60.0,
    rate: Annotated[float, typer.Option(help="Events per second.", min=1, max=20_000)] = 1_000.0,
    seed: Annotated[int, typer.Option(help="Of the generated transactions.", min=0)] = 1,
) -> None:
    """Start everything, run a pipeline with five rules, change rule and schema under traffic, and prove the counts.

    Each run has a pipeline and a topic of its own. The stack keeps running afterwards. Exit code 1 unless every event
    is accounted for, no alert is lost or doubled, and both changes took effect.
    """
    status = StatusLine(sys.stderr)
    run = utc_now().strftime("%Y%m%d_%H%M%S")
    scenario = Scenario(Settings.load(), load_example("card_fraud"), Plan(run, seconds, rate, seed), status)
    try:
        outcome = scenario.play()
    except KeyboardInterrupt:
        status.say("interrupted. What was started keeps running: `make demo` begins anew, `make down` stops it all")
        raise typer.Exit(130) from None
    finally:
        status.clear()
        scenario.close()
    print_report(outcome)
    if not outcome.holds:
        raise typer.Exit(1)
