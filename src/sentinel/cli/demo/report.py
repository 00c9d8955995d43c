"""The table at the end."""

from __future__ import annotations

from sentinel.cli.demo.outcome import Effect, Outcome

WIDTH = 58


def print_report(outcome: Outcome) -> None:
    """Print all figures, and what does not hold."""
    for heading, lines in sections(outcome):
        print(f"\n{heading}")
        for name, value in lines:
            print(f"  {name[:WIDTH]:<{WIDTH}}  {value}")
    print()
    for failure in outcome.failures:
        print(f"DOES NOT HOLD: {failure}")
    if outcome.holds:
        print("Every event is accounted for, and every alert is what the rules of its moment say.")
    print(f"Everything keeps running: `make stop ID={outcome.pipeline.id}` stops the job, `make down` all of it.")


def sections(outcome: Outcome) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return headings with their lines of name and value."""
    summary, proof = outcome.summary, outcome.proof
    measured = outcome.latency
    return [
        (
            f"Pipeline {outcome.pipeline.id}: {outcome.pipeline.name}, {outcome.seconds:.0f} s in all",
            [
                ("events sent", f"{outcome.sent:,} ({outcome.warm_up.sent:,} at once, to warm the job up)"),
                ("pace of the others", f"{summary.rate:,.0f}/s, at most {summary.late_seconds:.2f} s late"),
                ("archived in the lake", f"{outcome.archived.events:,}"),
                ("dead-lettered", f"{outcome.archived.dead_letters:,}"),
            ],
        ),
        (
            "Alerts per rule",
            [(f"{rule.severity:<9}{rule.description}", f"{rule.alerts:,}") for rule in outcome.rules]
            + [("all", f"{sum(rule.alerts for rule in outcome.rules):,}")],
        ),
        (
            "Event to committed alert, from the time it was due to be sent",
            [("p50 / p95 / p99 / max", "no alerts")]
            if measured is None
            else [
                (
                    "p50 / p95 / p99 / max",
                    f"{measured.p50:,.0f} / {measured.p95:,.0f} / {measured.p99:,.0f} / {measured.max:,.0f} ms",
                )
            ],
        ),
        (
            "Changes under traffic, from the request to the first event decided under it",
            [(effect.change.name, _effect(effect)) for effect in outcome.effects],
        ),
        (
            "Reconcile: topic = lake + dead letters, alerts = rules over the lake, Redis = PostgreSQL",
            [(str(check["name"]), f"{check['lost']:,} lost, {check['doubled']:,} doubled") for check in proof["checks"]]
            + [("all", f"{outcome.lost:,} lost, {outcome.doubled:,} doubled")],
        ),
        ("Addresses", list(outcome.urls.items())),
    ]


def _effect(effect: Effect) -> str:
    if effect.seconds is None:
        return "never"
    return f"{effect.seconds:.2f} s ({effect.events:,} events since)"
