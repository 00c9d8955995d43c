"""The `sentinel` command: a router. A verb's module is imported when the verb is used, so that each starts quickly.

To add a verb, write a function in `cli/<name>.py` and add its line to `VERBS`; a group of verbs is a `typer.Typer`.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from sentinel.errors import SentinelError

# verb -> (module, name in it, one line of help), in the order of `sentinel --help`.
VERBS: dict[str, tuple[str, str, str]] = {
    "up": ("sentinel.cli.stack", "up", "Start PostgreSQL, Redis, Kafka and S3, and apply the migrations."),
    "down": ("sentinel.cli.stack", "down", "Stop everything of this home."),
    "restart": ("sentinel.cli.stack", "restart", "Restart everything that runs, or one program."),
    "status": ("sentinel.cli.stack", "status", "Show state, address, pid, memory and data size of each program."),
    "logs": ("sentinel.cli.logs", "logs", "Show the logs, of one program or all; -f follows."),
    "clean": ("sentinel.cli.stack", "clean", "Stop everything and delete its data (asks first)."),
    "clean-checkpoints": ("sentinel.cli.stack", "clean_checkpoints", "Delete the streaming checkpoints."),
    "doctor": ("sentinel.cli.doctor", "doctor", "Check Java, disk, memory, ports, versions and the stores."),
    "server": ("sentinel.cli.services", "server", "Start the configuration API."),
    "dashboard": ("sentinel.cli.services", "dashboard", "Start the dashboard."),
    "rule-worker": ("sentinel.cli.rule_worker", "rule_worker", "Start the rule worker: explains, tests, backtests."),
    "worker": ("sentinel.cli.worker", "worker", "Start the worker, which does what is due for all tenants."),
    "rule": ("sentinel.cli.rule", "app", "Add, check, change, test, explain and silence rules."),
    "alerts": ("sentinel.cli.alerts", "app", "List, acknowledge, resolve, assign and judge alerts, one or many."),
    "dead-letters": (
        "sentinel.cli.dead_letters",
        "app",
        "List, check, redrive and discard records that are no events.",
    ),
    "submit": ("sentinel.cli.jobs", "submit", "Run the detection job of pipelines under supervision."),
    "stop": ("sentinel.cli.jobs", "stop", "Stop a job, or any other program by its name."),
    "resume-source": ("sentinel.cli.source", "resume_source", "Go on although the topic lacks records; recorded."),
    "backtest": ("sentinel.cli.past", "backtest", "Test rules on the lake before they act."),
    "refill": ("sentinel.cli.past", "refill", "Make the alerts that are missing of a range of time."),
    "reconcile": ("sentinel.cli.reconcile", "reconcile_command", "Prove that topic, lake, alerts and scores agree."),
    "spark-ui": ("sentinel.cli.jobs", "spark_ui", "Print the addresses of the running jobs' Spark UI."),
    "db-shell": ("sentinel.cli.database", "db_shell", "Open psql (or a client of our own) on the database."),
    "kafka-consume": ("sentinel.cli.kafka", "kafka_consume", "Show the records of a topic."),
    "producer": ("sentinel.cli.producer", "producer", "Send card transactions, or replay a file, into a topic."),
    "events": ("sentinel.cli.events", "app", "Send events by HTTP, and say where they go."),
    "channels": ("sentinel.cli.channels", "app", "Add, try, change and switch channels of notifications."),
    "notify": ("sentinel.cli.notify", "app", "Who is told of what, why, and what became of it."),
    "webhooks": ("sentinel.cli.webhooks", "app", "List sources, fetch missed events of Stripe, delete old events."),
    "detectors": ("sentinel.cli.detectors", "app", "Set up, switch and run scheduled detectors."),
    "run-rules": ("sentinel.cli.detectors", "run_rules", "Run the detectors: `sentinel detectors run`."),
    "lists": ("sentinel.cli.lists", "app", "Upload, edit, show and compare lists that rules read."),
    "keys": ("sentinel.cli.keys", "app", "Make, list and revoke API keys."),
    "plan": ("sentinel.cli.files", "plan", "Show what applying files would change."),
    "apply": ("sentinel.cli.files", "apply", "Make the API have what files say."),
    "export": ("sentinel.cli.files", "export", "Write pipelines and rules as files."),
    "sigma": ("sentinel.cli.sigma", "app", "Import Sigma rules."),
    "lake": ("sentinel.cli.lake", "lake_app", "Query the lake with SQL: `sentinel lake query`."),
    "demo": ("sentinel.cli.demo", "demo", "Show the whole system at work in about three minutes."),
}


class Router(TyperGroup):
    """A group whose commands are looked up in `VERBS`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs in their order."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a verb and return its command."""
        if cmd_name not in VERBS:
            return None
        module, name, line = VERBS[cmd_name]
        found: Any = getattr(importlib.import_module(module), name)
        if isinstance(found, typer.Typer):
            group = found
        else:
            group = typer.Typer(add_completion=False)
            group.command(name=cmd_name, help=found.__doc__ or line)(found)
        command = typer.main.get_command(group)
        command.name = cmd_name
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the verbs with one line each, without importing them."""
        typer.echo("Usage: sentinel [VERB] --help\n\nSentinel: configuration-driven real-time detection.\n")
        width = max(map(len, VERBS)) + 2
        for verb, (_, _, line) in VERBS.items():
            typer.echo(f"  {verb:<{width}}{line}")


app = typer.Typer(cls=Router, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def root() -> None:
    """Sentinel: configuration-driven real-time detection."""


def main() -> None:
    """Run the command line; an error raised on purpose is one line on standard error and exit code 1."""
    try:
        app(prog_name="sentinel")
    except SentinelError as error:
        sys.stderr.write(f"error: {error.message}\n")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
