"""`sentinel webhooks`: sources, events that a provider could not deliver, and how long events are kept."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from getpass import getpass
from typing import Annotated

import typer

from sentinel.cli.output import print_table, say
from sentinel.client import Client
from sentinel.client.webhooks import WebhookSource
from sentinel.clock import utc_now
from sentinel.domain.webhook import MIN_RETENTION_DAYS
from sentinel.errors import InvalidError, NotFoundError, RateLimitedError, SentinelError, StoreUnavailableError
from sentinel.settings import Settings
from sentinel.wiring import Backend

app = typer.Typer(help="Webhooks: sources, missed events, retention.", no_args_is_help=True)

CALLER = "cli"
PRUNE_BATCH = 1_000
MAX_FAILURES = 5
MAX_WAIT_SECONDS = 600.0
Source = Annotated[str, typer.Argument(metavar="SOURCE", help="By id or name.")]


@app.command("list")
def list_sources() -> None:
    """List the sources."""
    with Client.of(Settings.load()) as client:
        sources = client.list_webhook_sources()
    rows = [[str(each.id), each.name, each.kind, each.status, each.path] for each in sources]
    print_table(("id", "name", "kind", "status", "path"), rows, frozenset({0}))


@app.command("backfill-key")
def backfill_key(source: Source) -> None:
    """Store the restricted key of Stripe that missed events are asked for with; read from the standard input."""
    key = getpass("Restricted key (rk_...): ") if sys.stdin.isatty() else sys.stdin.readline()
    with Client.of(Settings.load()) as client:
        found = client.set_backfill_key(_named(client, source).id, key.strip())
    print(f"the key that ends in {found.api_key_hint} is stored")


@app.command("backfill")
def backfill(
    source: Source,
    since: Annotated[
        str | None,
        typer.Option(help="ISO 8601, at most 30 days ago; else it goes on, or begins where the last one ended."),
    ] = None,
    everything: Annotated[bool, typer.Option(help="All events, not those alone of which a delivery failed.")] = False,
) -> None:
    """Ask Stripe for events that it could not deliver, and take them in; stopped, it goes on when called again."""
    begin = _moment(since)
    failures = 0
    with Client.of(Settings.load()) as client:
        found_source = _named(client, source)
        while True:
            try:
                done = client.run_backfill(found_source.id, since=begin, only_failed=not everything)
            except RateLimitedError as error:
                failures = _again(failures, error, error.retry_after_seconds)
            except StoreUnavailableError as error:
                failures = _again(failures, error, 2.0**failures)
            else:
                failures, begin = 0, None
                say(f"{done.stored + done.duplicate + done.conflict + done.refused:,} events seen")
                if done.is_complete:
                    break
                continue
            if begin is not None and _is_begun(client, found_source.id, begin):
                begin = None
    rest = f"{done.duplicate:,} were there, {done.conflict:,} in conflict, {done.refused:,} refused"
    print(f"{done.stored:,} stored, {rest}")


@app.command("prune")
def prune(
    days: Annotated[
        int | None, typer.Option(help="Events older than that. Default: SENTINEL_WEBHOOKS__RETENTION_DAYS.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="The tenant. Default: SENTINEL_TENANT.")] = "",
) -> None:
    """Delete old events with their conflicts, batch by batch. What waits for Kafka stays."""
    settings = Settings.load()
    chosen = settings.webhooks.retention_days if days is None else days
    if chosen < MIN_RETENTION_DAYS:
        raise InvalidError(
            "say how old events may become, by --days or SENTINEL_WEBHOOKS__RETENTION_DAYS: "
            f"{MIN_RETENTION_DAYS} or more, not {chosen}; providers send events again for up to 30 days, and one "
            "that was deleted would be new"
        )
    before = utc_now() - timedelta(days=chosen)
    backend = Backend(settings)
    backend.open()
    deleted = 0
    try:
        with backend.unit(tenant or settings.tenant, CALLER) as unit:
            sources = [source.id for source in unit.webhooks.list()]
        for source_id in sources:
            after: int | None = 0
            while after is not None:
                with backend.unit(tenant or settings.tenant, CALLER) as unit:
                    batch = unit.webhooks.prune(source_id, before, after=after, limit=PRUNE_BATCH)
                deleted, after = deleted + batch.deleted, batch.next_after
    finally:
        backend.close()
    print(f"{deleted:,} events deleted that came before {before.isoformat(timespec='seconds')}")


def _named(client: Client, source: str) -> WebhookSource:
    for each in client.list_webhook_sources():
        if source in (each.name, str(each.id)):
            return each
    raise NotFoundError(f"there is no webhook source {source!r}; `sentinel webhooks list` shows what there is")


def _again(failures: int, error: SentinelError, seconds: float) -> int:
    """Wait before the next try, and return how many failed in a row."""
    if failures + 1 >= MAX_FAILURES or seconds > MAX_WAIT_SECONDS:
        raise error
    say(f"{error.message}; again in {seconds:.0f} s")
    time.sleep(seconds)
    return failures + 1


def _is_begun(client: Client, source_id: int, begin: datetime) -> bool:
    """Tell whether the range was begun although the request failed: then it goes on."""
    found = client.get_backfill(source_id)
    return not found.is_complete and found.since == begin.replace(microsecond=0)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(f"{text!r} is no time; write it as 2026-01-31T12:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
