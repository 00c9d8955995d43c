"""`sentinel producer`: card transactions, or the lines of a file, into a topic."""

from __future__ import annotations

import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from sentinel.clock import monotonic_seconds, utc_now
from sentinel.errors import InvalidError
from sentinel.settings import Settings
from sentinel.workload.feed import Chunk, Replay, generated, parse_speed
from sentinel.workload.generator import CardTransactions
from sentinel.workload.labels import LabelsFile
from sentinel.workload.producer import SendSummary, ensure_topic, send
from sentinel.workload.status_line import StatusLine

DEFAULT_TOPIC = "transactions"
# Spacing of event times where no pace is given: about what one producer process can send.
UNPACED_EVENTS_PER_SECOND = 100_000.0
# Drawing the population and the first events takes less; then the first record is as punctual as the others.
LEAD_SECONDS = 0.5


def producer(
    *,
    topic: Annotated[str, typer.Option(help="Topic to send to; created if it does not exist.")] = DEFAULT_TOPIC,
    rate: Annotated[
        str, typer.Option(help="Events per second by a fixed timetable, or 'max'. Default: 1000; files: see --speed.")
    ] = "",
    duration: Annotated[float | None, typer.Option(help="Stop after so many seconds.", min=0.001)] = None,
    count: Annotated[int | None, typer.Option(help="Stop after so many events.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same people and purchases.", min=0)] = None,
    start_time: Annotated[
        str, typer.Option(help="Event time of the first event (ISO 8601); default: event times are real.")
    ] = "",
    event_rate: Annotated[
        float | None, typer.Option(help="Events per second of event time; default: the sending rate.", min=1e-6)
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Write here (.jsonl or .jsonl.gz) which transactions are fraud.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="Send the lines of this .jsonl or .jsonl.gz file instead.")] = None,
    speed: Annotated[str, typer.Option(help="With --file: '100x' the pace of its times, or 'max'.")] = "max",
    time_field: Annotated[str, typer.Option(help="With --file: field of a line's time.")] = "",
    key_field: Annotated[str, typer.Option(help="With --file: field whose value becomes the record's key.")] = "",
    partitions: Annotated[int, typer.Option(help="Partitions of the topic, if it is created.", min=1)] = 4,
) -> None:
    """Send card transactions with three kinds of fraud in them, or replay a file.

    Ctrl-C ends it cleanly. Exit code 1 if any record was not delivered.
    """
    settings = Settings.load()
    pace = _pace(rate, replaying=file is not None)
    stop = threading.Event()
    status = StatusLine(sys.stderr)
    with ExitStack() as opened:
        opened.enter_context(_stopped_by_signal(stop))
        replay: Replay | None = None
        label_file: LabelsFile | None = None
        if file is not None:
            _refuse_with_file(seed=seed, start_time=start_time, event_rate=event_rate, labels=labels)
            replay = Replay(file, parse_speed(speed), time_field or None, key_field or None, pace, count)
            _tell_topic(status, settings, topic, partitions)
            chunks, begin = replay.chunks(), monotonic_seconds()
        else:
            if time_field or key_field or speed != "max":
                raise InvalidError("--speed, --time-field and --key-field belong to --file, which is not given")
            if labels is not None:
                label_file = opened.enter_context(LabelsFile(labels))
            seed = secrets.randbelow(1_000_000) if seed is None else seed
            _tell_topic(status, settings, topic, partitions)
            chunks, begin = _transactions(
                seed=seed,
                pace=pace,
                event_rate=event_rate,
                start_time=start_time,
                limit=_limit(count, duration, pace),
                label_file=label_file,
            )
            status.say(f"seed {seed}: the same people and purchases again with --seed {seed}")

        def progress(summary: SendSummary) -> None:
            status.update(_progress_text(summary))
            if label_file is not None:
                label_file.settle(summary.sent)

        config = {"linger.ms": 20} if pace is None else None
        summary = send(
            settings.kafka, topic, chunks, begin=begin, seconds=duration, stop=stop, on_progress=progress, config=config
        )
        if label_file is not None:
            label_file.settle(summary.sent)
    status.clear()
    _print_summary(summary, label_file, replay)
    if summary.failed or summary.in_flight:
        raise typer.Exit(1)


def _pace(text: str, *, replaying: bool) -> float | None:
    if not text:
        return None if replaying else 1_000.0
    if text.lower() == "max":
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 10_000_000:
        raise InvalidError(f"the rate {text!r} is not understood: use events per second, such as 1000, or max")
    return value


def _limit(count: int | None, duration: float | None, pace: float | None) -> int | None:
    """With a pace, a duration is a number of events: exact, whatever the machine does meanwhile."""
    by_duration = max(1, round(pace * duration)) if pace is not None and duration is not None else None
    limits = [limit for limit in (count, by_duration) if limit is not None]
    return min(limits) if limits else None


def _transactions(
    *,
    seed: int,
    pace: float | None,
    event_rate: float | None,
    start_time: str,
    limit: int | None,
    label_file: LabelsFile | None,
) -> tuple[Iterator[Chunk], float]:
    begin = monotonic_seconds() + LEAD_SECONDS
    start = _moment(start_time) if start_time else utc_now() + timedelta(seconds=LEAD_SECONDS)
    spacing = event_rate or pace or UNPACED_EVENTS_PER_SECOND
    transactions = CardTransactions(seed, start=start, rate=spacing)
    add = None if label_file is None else label_file.add
    return generated(transactions, rate=pace, count=limit, labels=add), begin


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidError(
            f"the start time {text!r} is not understood: use ISO 8601, such as 2026-01-31T08:00:00Z"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _refuse_with_file(**given: object) -> None:
    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value not in (None, "")]
    if names:
        raise InvalidError(f"{', '.join(names)} belong to generated transactions and cannot be used with --file")


def _tell_topic(status: StatusLine, settings: Settings, topic: str, partitions: int) -> None:
    found = ensure_topic(settings.kafka, topic, partitions)
    status.say(f"topic {topic} on {settings.kafka.bootstrap_servers}, {found} partitions")


@contextmanager
def _stopped_by_signal(stop: threading.Event) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM set the event; a second one acts as usual."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def on_signal(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress_text(summary: SendSummary) -> str:
    failed = f", {summary.failed:,} FAILED" if summary.failed else ""
    return (
        f"{summary.seconds:6.1f} s  sent {summary.sent:,}, delivered {summary.delivered:,}{failed}, "
        f"{summary.bytes / 1e6:,.1f} MB, {summary.rate:,.0f}/s"
    )


def _print_summary(summary: SendSummary, label_file: LabelsFile | None, replay: Replay | None) -> None:
    lines = [
        ("topic", summary.topic),
        ("sent", f"{summary.sent:,}" + (" (stopped early)" if summary.stopped else "")),
        ("delivered", f"{summary.delivered:,}"),
        ("failed", f"{summary.failed:,}"),
        ("bytes", f"{summary.bytes:,}"),
        ("seconds", f"{summary.seconds:,.2f}"),
        ("rate", f"{summary.rate:,.0f} events/s"),
        ("worst lateness", f"{summary.late_seconds * 1000:,.0f} ms"),
    ]
    if label_file is not None:
        lines.append(("labelled fraud", f"{label_file.written:,}"))
    if replay is not None and replay.untimed:
        lines.append(("lines without time", f"{replay.untimed:,}"))
    for name, value in lines:
        print(f"{name:<20}{value}")
    for reason, number in summary.reasons.most_common():
        print(f"not delivered: {number:,} x {reason}", file=sys.stderr)
