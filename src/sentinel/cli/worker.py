"""`sentinel worker`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sentinel.cli.output import say
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.supervision import Supervisor
from sentinel.localstack.worker import NAME, start_worker, worker_program
from sentinel.settings import Settings


def worker(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Run in this terminal, not under supervision.")
    ] = False,
) -> None:
    """Start the worker, which does what is due for all tenants."""
    settings = Settings.load()
    if foreground:
        program = worker_program(settings)
        os.chdir(program.directory)
        os.execve(program.argv[0], program.argv, {**os.environ, **program.environment})  # noqa: S606 - its purpose
    paths = StackPaths(settings.home)
    start_worker(settings, Supervisor(paths), paths)
    say(f"the worker runs; follow it with `sentinel logs {NAME} -f`")
