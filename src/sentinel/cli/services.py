"""`sentinel server | dashboard`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sentinel.cli.output import say
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.services import SERVICES, refuse_taken_port, service_program, start_service
from sentinel.localstack.supervision import Supervisor
from sentinel.settings import Settings

Foreground = Annotated[bool, typer.Option("--foreground", help="Run in this terminal, not under supervision.")]


def server(foreground: Foreground = False) -> None:
    """Start the configuration API and print its address."""
    url = _start("api", foreground)
    say(f"API: {url}  documentation: {url}/docs")


def dashboard(foreground: Foreground = False) -> None:
    """Start the dashboard and print its address."""
    say(f"dashboard: {_start('dashboard', foreground)}")


def _start(name: str, foreground: bool) -> str:
    settings = Settings.load()
    service = SERVICES[name]
    paths = StackPaths(settings.home)
    if foreground:
        refuse_taken_port(service, *service.address(settings))
        program = service_program(service, settings)
        os.chdir(program.directory)
        os.execve(program.argv[0], program.argv, {**os.environ, **program.environment})  # noqa: S606 - its purpose
    return start_service(service, settings, Supervisor(paths), paths)
