"""Who judges a record, held against each other: `python -m tests.fuzz.judges --records 300000 --seed 1`.

Spark decides (`streaming.query.parse`), by generated code for the stream and interpreted for an explanation, a check
of dead letters and a redrive; Python names the cause (`domain.diagnosis.diagnose`) and tells senders what is certainly
wrong (`certain_faults`). For every fuzzed record they must say the same:

- both of Spark's ways give the same verdict and the same event;
- of an event Python finds no fault, and can read it;
- of a record that is refused Python names the cause, and no second look at the bytes contradicts it;
- what Python would refuse at the edge Spark refuses, for the same field and cause;
- as the body of a request it is read or refused, whatever its media type, and nothing else happens.

Ends with 1 on a disagreement.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.domain.diagnosis import UNSOUND, Verdict, certain_faults
from sentinel.domain.event_batch import encodable, read_batch, record_key, text_of
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.finding import DeadLetter
from sentinel.domain.json_document import MAX_DEPTH, JsonObject, RefusedError, read_document
from sentinel.domain.pipeline import PipelineConfig
from sentinel.errors import InvalidError
from sentinel.localstack.java import find_java
from sentinel.settings import Settings
from sentinel.streaming.explain.event import ParsingForm, RawRecord, parsed_records
from sentinel.streaming.query.parse import parse
from sentinel.streaming.query.session import build_session, evaluation_session
from tests.fuzz.records import MAX_RECORD_BYTES, SCHEMA, Fuzzed, RecordMutator

CHUNK_RECORDS = 20_000
# Interpreted, a record costs the driver some fifty times as much.
INTERPRETED_SHARE = 1 / 20
RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONFIG = PipelineConfig(max_record_bytes=MAX_RECORD_BYTES)
FORM = ParsingForm(SCHEMA, CONFIG, "fuzz", 0)
MOST_FINDINGS = 50
# Media types under which a record is sent to the edge; of the empty one it is a CloudEvent in binary mode.
KINDS = (
    "application/json",
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "",
)
_LATE = {DeadLetterCause.EVENT_TIME_IN_FUTURE, DeadLetterCause.EVENT_TIME_OUT_OF_RANGE, DeadLetterCause.OUT_OF_RANGE}
_WHOLE = {
    DeadLetterCause.TOMBSTONE,
    DeadLetterCause.EMPTY,
    DeadLetterCause.TOO_LARGE,
    DeadLetterCause.INVALID_UTF8,
    DeadLetterCause.NOT_JSON,
    DeadLetterCause.NOT_AN_OBJECT,
}


@dataclass
class Outcome:
    """What a run found.

    Attributes:
        causes: How often each cause was named; events are counted as `event`.
        doubtful: Refused for a time that Python alone could not refuse.
        interpreted: Records that were also judged without generated code.
        findings: Disagreements, each with its record.
    """

    records: int = 0
    interpreted: int = 0
    doubtful: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Return it as text."""
        return "\n".join(
            [
                f"records {self.records}, judged again without generated code {self.interpreted}",
                *(f"  {count:>8} {cause}" for cause, count in self.causes.most_common()),
                f"times that only Spark can refuse: {self.doubtful}",
                f"disagreements: {len(self.findings)}",
                *(f"  {found}" for found in self.findings[:MOST_FINDINGS]),
            ]
        )


def compare(spark: SparkSession, directory: Path, *, records: int, seed: int, seconds: float = float("inf")) -> Outcome:
    """Have all judges judge so many records, or as many as there is time for.

    Args:
        directory: For files in between.
    """
    deadline = time.monotonic() + seconds
    chance = random.Random(seed)
    made = RecordMutator(chance)
    outcome = Outcome()
    for number, count in enumerate(_chunks(records)):
        chunk = list(made.records(count))
        compiled = _by_stream(spark, directory / f"records-{number}.parquet", chunk)
        for at, (record, row) in enumerate(zip(chunk, compiled, strict=True)):
            _judge(outcome, record, row, at)
        sample = sorted(chance.sample(range(count), max(1, int(count * INTERPRETED_SHARE))))
        for at, row in zip(sample, _by_engine(spark, [chunk[at] for at in sample]), strict=True):
            expected = {name: value for name, value in compiled[at].items() if name != "event_id"}
            if {name: row[name] for name in expected} != expected:
                outcome.findings.append(f"interpreted {row}, compiled {compiled[at]}: {_shown(chunk[at])}")
        outcome.interpreted += len(sample)
        outcome.records += count
        if time.monotonic() > deadline:
            break
    return outcome


def _chunks(records: int) -> Iterator[int]:
    for start in range(0, records, CHUNK_RECORDS):
        yield min(CHUNK_RECORDS, records - start)


def _by_stream(spark: SparkSession, path: Path, chunk: Sequence[Fuzzed]) -> list[dict[str, Any]]:
    """Judge records as the stream does: read from somewhere, with generated code."""
    count = len(chunk)
    table = pa.table(
        {
            "value": pa.array([each.value for each in chunk], pa.binary()),
            "partition": pa.array([0] * count, pa.int32()),
            "offset": pa.array(range(count), pa.int64()),
            "timestamp": pa.array([RECEIVED] * count, pa.timestamp("us", tz="UTC")),
        }
    )
    pq.write_table(table, path)
    frame = evaluation_session(spark).read.parquet(path.as_uri())
    found = _told(parse(frame, SCHEMA, CONFIG, topic="fuzz", source_epoch=0))
    path.unlink()
    return found


def _by_engine(spark: SparkSession, chunk: Sequence[Fuzzed]) -> list[dict[str, Any]]:
    """Judge records as an explanation and a check of dead letters do: rows of the driver, interpreted."""
    found: list[dict[str, Any]] = []
    session = evaluation_session(spark)
    for start in range(0, len(chunk), 500):
        part = [RawRecord(each.value, 0, at, RECEIVED) for at, each in enumerate(chunk[start : start + 500])]
        found += _told(parsed_records(session, part, FORM))
    return found


def _told(parsed: DataFrame) -> list[dict[str, Any]]:
    rows = parsed.selectExpr(
        "offset", "to_json(event) AS event", "event_id", "CAST(event_time AS string) AS event_time",
        "cause", "field", "detail",
    ).collect()  # fmt: skip
    ordered = sorted((row.asDict() for row in rows), key=lambda row: row["offset"])
    return [{name: value for name, value in row.items() if name != "offset"} for row in ordered]


def _judge(outcome: Outcome, record: Fuzzed, row: dict[str, Any], at: int) -> None:
    """Hold Python's judgement of one record against Spark's."""
    if fault := _edge_fault(record.value or b"", KINDS[at % len(KINDS)]):
        outcome.findings.append(f"{fault}: {_shown(record)}")
    document = _document(record.value)
    told = certain_faults(document, SCHEMA) if document is not None else []
    if row["cause"] is None:
        outcome.causes["event"] += 1
        if row["event"] is None or row["field"] or row["detail"]:
            outcome.findings.append(f"an event with a cause: {row}: {_shown(record)}")
        if document is None or told:
            outcome.findings.append(f"Spark takes what Python refuses ({_first(told)}): {_shown(record)}")
        return
    if row["event"] is not None:
        outcome.findings.append(f"refused, and an event: {row}: {_shown(record)}")
    if row["cause"] != UNSOUND:
        outcome.causes[row["cause"]] += 1
        if row["cause"] not in _LATE or document is None or told:
            outcome.findings.append(f"{row['cause']} of what Python refuses ({_first(told)}): {_shown(record)}")
        return
    value, size = record.value, len(record.value or b"")
    named = DeadLetter(0, at, 0, UNSOUND, None, "", value, size).named(SCHEMA, max_record_bytes=MAX_RECORD_BYTES)
    outcome.causes[named.cause] += 1
    if "could not be named" in named.detail or "cannot be read as an event" in named.detail:
        outcome.findings.append(f"no cause is found ({named.detail}): {_shown(record)}")
    elif fault := contradiction(value, DeadLetterCause(named.cause), named.field, SCHEMA):
        outcome.findings.append(f"{named.cause} of {named.field}, {fault}: {_shown(record)}")
    if document is not None and size <= MAX_RECORD_BYTES:
        if told and (told[0].cause, told[0].field) != (DeadLetterCause(named.cause), named.field):
            outcome.findings.append(f"told {_first(told)}, named {named.cause} of {named.field}: {_shown(record)}")
        outcome.doubtful += not told


def _edge_fault(body: bytes, kind: str) -> str:
    """Return what is wrong with how `POST /events` reads a body; it may refuse it, and nothing else."""
    try:
        for incoming in read_batch(body, {"content-type": kind, **({"ce-id": "%ff%00"} if not kind else {})})[0]:
            if incoming.document is not None:
                certain_faults(incoming.document, SCHEMA)
                record_key(incoming.document, SCHEMA)
                text_of(incoming.document, "id")
            encodable(incoming.text).encode()
    except InvalidError as refused:
        return "" if refused.message else "refused without a reason"
    except Exception as error:
        return f"the edge raises {type(error).__name__}: {error} ({kind})"
    return ""


def _document(value: bytes | None) -> JsonObject | None:
    """Return the object that a record is to Python; None where it is none."""
    try:
        found = read_document((value or b"").decode())
    except (ValueError, RecursionError, RefusedError):
        return None
    return found if isinstance(found, JsonObject) else None


def contradiction(value: bytes | None, cause: DeadLetterCause, named: str | None, schema: EventSchema) -> str:
    """Look at the bytes with nothing of the product's but its limits; return what contradicts a cause, or ''."""
    whole = _whole_fault(value)
    if whole is not None or cause in _WHOLE:
        return "" if whole == cause else f"but its bytes say {whole or 'that it is an object'}"
    fields = _loaded((value or b"").decode())
    if named is None or schema.field(named) is None:
        return "and the field is not named"
    missing = fields.get(named) is None
    if (cause == DeadLetterCause.MISSING_FIELD) != missing:
        twice = (value or b"").decode().count(json.dumps(named)) > 1
        return "" if twice else f"and the field is {str(fields.get(named))[:80]!r}"
    return ""


def _whole_fault(value: bytes | None) -> DeadLetterCause | None:
    """Return what is wrong with a record as a whole; None where it is an object."""
    if value is None:
        return DeadLetterCause.TOMBSTONE
    if len(value) > MAX_RECORD_BYTES:
        return DeadLetterCause.TOO_LARGE
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return DeadLetterCause.INVALID_UTF8
    return _text_fault(text) if text.strip(" \t\r\n") else DeadLetterCause.EMPTY


def _text_fault(text: str) -> DeadLetterCause | None:
    try:
        found = _loaded(text)
    except (ValueError, RecursionError):
        return DeadLetterCause.NOT_JSON
    if _depth(found) > MAX_DEPTH or _longest_name(found) > 50_000:
        return DeadLetterCause.NOT_JSON
    return None if isinstance(found, dict) else DeadLetterCause.NOT_AN_OBJECT


def _loaded(text: str) -> Any:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10 * MAX_DEPTH)
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_short, parse_float=_short)
    finally:
        sys.setrecursionlimit(limit)


def _refuse(token: str) -> Any:
    raise ValueError(token)


def _short(digits: str) -> str:
    # The 0 before a point is none that counts.
    if len(re.sub(r"^-?0(?=[.eE])|[^0-9]", "", digits)) > 1_000:
        raise ValueError("many digits")
    return digits


def _depth(found: Any) -> int:
    deepest, rest = 0, [(found, 1)]
    while rest:
        each, depth = rest.pop()
        if isinstance(each, dict | list):
            deepest = max(deepest, depth)
            rest += [(inner, depth + 1) for inner in (each.values() if isinstance(each, dict) else each)]
    return deepest


def _longest_name(found: Any) -> int:
    return max(map(len, found), default=0) if isinstance(found, dict) else 0


def _first(told: Sequence[Verdict]) -> str:
    return f"{told[0].cause} of {told[0].field}: {told[0].detail}" if told else "it cannot be read"


def _shown(record: Fuzzed) -> str:
    return f"{record.how}: {record.value[:700] if record.value is not None else None!r}"


def main() -> int:
    """Run it from the command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--records", type=int, default=300_000)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    settings = Settings()
    os.environ.setdefault("JAVA_HOME", str(find_java(settings.home).home))
    extra = {"spark.ui.enabled": "false", "spark.driver.memory": "1g"}
    spark = build_session(settings, app_name="fuzz of records", master="local[2]", extra=extra)
    with tempfile.TemporaryDirectory() as directory:
        outcome = compare(spark, Path(directory), records=given.records, seed=given.seed)
    spark.stop()
    print(f"seed {given.seed}\n{outcome.summary()}".encode(errors="replace").decode())
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())
