"""`sentinel rule-worker`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sentinel.cli.output import say
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.rule_worker import NAME, rule_worker_program, start_rule_worker
from sentinel.localstack.supervision import Supervisor
from sentinel.settings import Settings


def rule_worker(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Run in this terminal, not under supervision.")
    ] = False,
) -> None:
    """Start the rule worker, which explains, tests, backtests and refills on request."""
    settings = Settings.load()
    if foreground:
        program = rule_worker_program(settings)
        os.chdir(program.directory)
        os.execve(program.argv[0], program.argv, {**os.environ, **program.environment})  # noqa: S606 - its purpose
    paths = StackPaths(settings.home)
    start_rule_worker(settings, Supervisor(paths), paths)
    say(f"the rule worker runs; follow it with `sentinel logs {NAME} -f`")
