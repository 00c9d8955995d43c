"""What the outbox costs the alert writer: its own commits with and without it, in turn, on a PostgreSQL of the bench's.

    python -m tests.bench.outbox [--alerts 1000] [--rounds 40]

Each round commits a batch of new alerts as the writer does, once with the entries for the notifier in the same
statement and once without, in changing order; nobody listens, and the outbox is emptied after each, as the router does.
Prints one JSON line: the median milliseconds of a batch of each kind, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import LiteralString, cast

import psycopg

from sentinel.clock import monotonic_seconds
from sentinel.domain.finding import FindingBatch, Match
from sentinel.domain.generation import Generation
from sentinel.rules.explanation.evidence import evidence_plan
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.findings import FindingStore, GenerationFindings
from sentinel.stores.postgres.ledger import LedgerStore
from sentinel.stores.postgres.statements import load_statements
from sentinel.testing.servers import start_servers
from tests.bench.alerts_at_scale import arrange, new_match

KINDS = ("with", "without")
WARM_UP = 5


@contextmanager
def statement_of(kind: str) -> Iterator[None]:
    """Have the writer's statement with the part that writes the outbox, or without it."""
    statements = load_statements("findings")
    whole = statements["insert_alerts"]
    before, queued, after = whole.partition("queued AS (")
    _, _, rest = after.partition("\n), ")
    if not queued or not rest:
        raise SystemExit("void: the statement that writes alerts has no part for the outbox any more")
    if kind == "without":
        statements["insert_alerts"] = cast("LiteralString", before + rest)
    try:
        yield
    finally:
        statements["insert_alerts"] = whole


def queued_entries(settings: Settings) -> int:
    """Empty the outbox, and return how many entries it had."""
    with psycopg.connect(settings.postgres.conninfo("owner")) as connection:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", (settings.tenant,))
        return connection.execute("DELETE FROM sentinel.alert_outbox").rowcount


def measure(settings: Settings, database: Database, alerts: int, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each batch, by kind."""
    snapshot = arrange(settings, database)[0]
    ledger = LedgerStore(database, settings.tenant)
    lease = ledger.acquire_lease(snapshot.pipeline_id, "bench", 3600.0)
    if lease is None:
        raise SystemExit("void: something else holds the pipeline")
    generation = Generation(
        ledger.create_generation(lease, snapshot, reason="bench", marker_every=1000), snapshot, 1000, {0: 0}
    )
    store = FindingStore(
        database, settings.tenant, score_ttl_seconds=settings.redis.score_ttl_seconds, plan_evidence=evidence_plan
    )

    def write(matches: list[Match]) -> int:
        return store.commit(lease, [GenerationFindings(generation, FindingBatch(matches=matches))])

    dice = random.Random(7)
    spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
    offset = 0
    for number in range(WARM_UP + rounds):
        for kind in KINDS if number % 2 else reversed(KINDS):
            matches = [new_match(dice, offset + place) for place in range(alerts)]
            offset += alerts
            took = timed(write, matches, kind)
            if queued_entries(settings) != (alerts if kind == "with" else 0):
                raise SystemExit(f"void: the outbox does not hold what {kind!r} writes")
            if number >= WARM_UP:
                spent[kind].append(took)
    return spent


def timed(write: Callable[[list[Match]], int], matches: list[Match], kind: str) -> float:
    """Commit new alerts and return how many milliseconds that took."""
    with statement_of(kind):
        began = monotonic_seconds()
        inserted = write(matches)
        took = (monotonic_seconds() - began) * 1000
    if inserted != len(matches):
        raise SystemExit(f"void: {inserted} of {len(matches)} alerts were new")
    return took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=40)
    chosen = parser.parse_args()
    with TemporaryDirectory() as scratch, start_servers(Path(scratch), ["postgres"]) as servers:
        database = Database(servers.settings.postgres)
        database.open()
        spent = measure(servers.settings, database, chosen.alerts, chosen.rounds)
        database.close()
    told = {kind: round(median(found), 1) for kind, found in spent.items()}
    ratio = round(median(spent["with"]) / median(spent["without"]), 3)
    print(json.dumps({"alerts": chosen.alerts, "rounds": chosen.rounds, **told, "ratio": ratio}))


if __name__ == "__main__":
    main()
