"""`sentinel submit | stop | spark-ui`."""

from __future__ import annotations

from typing import Annotated

import typer

from sentinel.cli.output import say
from sentinel.errors import ConflictError, InvalidError, NotFoundError
from sentinel.localstack.jobs import job_name, job_program
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.supervision import Supervisor
from sentinel.settings import Settings


def submit(
    pipeline_ids: Annotated[list[int] | None, typer.Argument(metavar="ID...", help="Pipelines of one driver.")] = None,
    all_pipelines: Annotated[bool, typer.Option("--all", help="All pipelines that are not stopped.")] = False,
    master: Annotated[str, typer.Option(help="A Spark master; default: local with as many slots as needed.")] = "",
) -> None:
    """Run the detection job under supervision: it comes back after a crash, with growing delay if it cannot start."""
    if bool(pipeline_ids) == all_pipelines:
        raise InvalidError("name the pipelines, or give --all: `sentinel submit 1` or `sentinel submit --all`")
    settings = Settings.load()
    paths = StackPaths(settings.home)
    supervisor = Supervisor(paths)
    program = job_program(pipeline_ids or [], settings, master=master)
    clash = _job_of(supervisor, pipeline_ids or [])
    if clash and (clash == program.name or not all_pipelines):
        raise ConflictError(f"{clash} runs already; stop it first with `sentinel stop {clash}`")
    refuse_unknown(settings, pipeline_ids or [])
    paths.create()
    supervisor.ensure_running()
    program.write(paths)
    supervisor.start(program.name)
    say(f"{program.name} is starting; follow it with `sentinel logs {program.name} -f`")


def stop(
    name: Annotated[str, typer.Argument(metavar="ID|NAME", help="A pipeline's id, or a program as `status` has it.")],
) -> None:
    """Stop a job gracefully, or any other program. It stays stopped."""
    settings = Settings.load()
    supervisor = Supervisor(StackPaths(settings.home))
    states = supervisor.states()
    program = _job_of(supervisor, [int(name)]) or job_name([int(name)]) if name.isdigit() else name
    if program not in states:
        running = ", ".join(found for found, state in states.items() if state.pid)
        raise NotFoundError(f"{program!r} does not run; what runs: {running or 'nothing'}")
    supervisor.stop(program)
    say(f"{program} is stopped")


def spark_ui() -> None:
    """Print the addresses of the Spark UI of the running jobs."""
    from sentinel.stores.postgres.database import Database  # noqa: PLC0415 - costs the other verbs 0.2 s

    settings = Settings.load()
    database = Database(settings.postgres, pool_size=1)
    database.open()
    try:
        with database.transaction(settings.tenant) as transaction:
            rows = transaction.execute(
                "SELECT details->>'spark_ui' AS url, array_agg(pipeline_id ORDER BY pipeline_id) AS pipelines "
                "FROM sentinel.leases WHERE expires_at > now() AND details ? 'spark_ui' GROUP BY 1 ORDER BY 2"
            ).fetchall()
    finally:
        database.close()
    if not rows:
        raise NotFoundError("no job runs; start one with `sentinel submit ID`")
    for row in rows:
        print(f"{row['url']}  pipelines {', '.join(map(str, row['pipelines']))}")


def refuse_unknown(settings: Settings, pipeline_ids: list[int]) -> None:
    """Refuse pipelines that do not exist: a job of theirs would be started again and again.

    Raises:
        NotFoundError: The tenant has none of that id.
    """
    from sentinel.stores.postgres.database import Database  # noqa: PLC0415 - see `spark_ui`

    database = Database(settings.postgres, pool_size=1)
    database.open()
    try:
        with database.transaction(settings.tenant) as transaction:
            rows = transaction.execute(
                "SELECT id FROM sentinel.pipelines WHERE id = ANY(%s)", (pipeline_ids,)
            ).fetchall()
    finally:
        database.close()
    unknown = sorted(set(pipeline_ids) - {row["id"] for row in rows})
    if unknown:
        raise NotFoundError(f"tenant {settings.tenant!r} has no pipeline {', '.join(map(str, unknown))}")


def _job_of(supervisor: Supervisor, pipeline_ids: list[int]) -> str | None:
    """Return the running job that has one of these pipelines (none: any job)."""
    for name, state in supervisor.states().items():
        if name.startswith("job-") and state.pid:
            has = set(name.removeprefix("job-").split("-"))
            if not pipeline_ids or "all" in has or has & set(map(str, pipeline_ids)):
                return name
    return None
