"""`sentinel up | down | restart | status | clean | clean-checkpoints`."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from typing import Annotated

import typer

from sentinel.cli.output import megabytes, print_table, say
from sentinel.errors import ConflictError, NotFoundError
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.status import stack_status
from sentinel.localstack.supervision import Supervisor
from sentinel.settings import Settings


def up(
    only: Annotated[list[str] | None, typer.Option(help="Start this server only; repeatable.")] = None,
    spark_cluster: Annotated[bool, typer.Option(help="Start a standalone Spark master and worker, too.")] = False,
) -> None:
    """Start PostgreSQL, Redis, Kafka and S3, migrate, and start the workers. What runs already is left alone."""
    # Drivers and migrations cost half a second to import; the other verbs of this file do without.
    from sentinel.localstack.cluster import start_cluster  # noqa: PLC0415
    from sentinel.localstack.rule_worker import start_rule_worker  # noqa: PLC0415
    from sentinel.localstack.stack import Stack  # noqa: PLC0415
    from sentinel.localstack.worker import start_worker  # noqa: PLC0415

    began = time.monotonic()
    stack = Stack.open(Settings.load(), report=say)
    stack.up(only)
    if spark_cluster:
        say(f"Spark master: {start_cluster(stack)}")
    if only is None:
        start_rule_worker(stack.settings, stack.supervisor, stack.paths)
        start_worker(stack.settings, stack.supervisor, stack.paths)
    _print_status(stack.settings)
    say(f"up after {time.monotonic() - began:.1f} s; stop it with `sentinel down`")


def down() -> None:
    """Stop every program of this home, jobs first. The data stays."""
    settings = Settings.load()
    supervisor = _supervisor(settings)
    if supervisor.pid is None:
        say("nothing runs")
    else:
        for name in [name for name, state in supervisor.states().items() if name.startswith("job-") and state.pid]:
            supervisor.stop(name)
    supervisor.shutdown()


def restart(name: Annotated[str | None, typer.Argument(help="A program as `status` names it.")] = None) -> None:
    """Restart everything that runs, or one program."""
    supervisor = _supervisor(Settings.load())
    states = supervisor.states()
    if name is not None:
        if name not in states:
            raise NotFoundError(f"there is no program {name!r}; `sentinel status` lists them")
        supervisor.stop(name)
        supervisor.start(name)
        return
    from sentinel.localstack.stack import Stack  # noqa: PLC0415 - see `up`

    running = [program for program, state in states.items() if state.pid]
    down()
    stack = Stack.open(Settings.load(), report=say)
    stack.up([program for program in stack.state.local if program in running] or None)
    for program in running:
        if program not in stack.state.local:
            stack.supervisor.start(program)
    _print_status(stack.settings)


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show state, address, pid, memory and data size of each program."""
    settings = Settings.load()
    if as_json:
        print(json.dumps([asdict(program) for program in stack_status(settings)], indent=1))
    else:
        _print_status(settings)


def clean(yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Stop everything and delete its data: databases, topics, lake, scores, checkpoints, logs. Jars stay."""
    settings = Settings.load()
    paths = StackPaths(settings.home)
    if not yes:
        typer.confirm(f"Delete all data of the local stack in {paths.home}?", abort=True)
    _supervisor(settings).shutdown()
    for path in (paths.data, paths.logs, paths.run, paths.home / "spark-local", paths.home / "spark-warehouse"):
        shutil.rmtree(path, ignore_errors=True)
    _delete_checkpoints(settings)
    for file in (paths.stack_env, paths.state_file):
        file.unlink(missing_ok=True)
    say(f"{paths.home} holds no data any more")


def clean_checkpoints() -> None:
    """Delete the checkpoints of the streaming queries. Jobs go on from the ledger; nothing is lost or repeated."""
    settings = Settings.load()
    running = [name for name, state in _supervisor(settings).states().items() if name.startswith("job-") and state.pid]
    if running:
        raise ConflictError(
            f"{', '.join(running)} runs and uses the checkpoints; stop it first with `sentinel stop {running[0]}`"
        )
    _delete_checkpoints(settings)


def _delete_checkpoints(settings: Settings) -> None:
    if settings.checkpoint_dir.is_dir():
        shutil.rmtree(settings.checkpoint_dir)
        say(f"deleted {settings.checkpoint_dir}")


def _supervisor(settings: Settings) -> Supervisor:
    return Supervisor(StackPaths(settings.home))


def _print_status(settings: Settings) -> None:
    programs = stack_status(settings)
    rows = [
        [
            program.name,
            program.state + (f" ({program.detail})" if program.detail else ""),
            program.address or (program.telemetry and f"{program.telemetry} (health)"),
            str(program.pid or "-"),
            megabytes(program.rss_bytes) if program.pid else "-",
            megabytes(program.data_bytes),
        ]
        for program in programs
    ]
    rss = sum(program.rss_bytes for program in programs)
    rows.append(["total", "", "", "", megabytes(rss), megabytes(sum(program.data_bytes or 0 for program in programs))])
    print_table(("program", "state", "address", "pid", "memory (RSS)", "data"), rows, frozenset({3, 4, 5}))
