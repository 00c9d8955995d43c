"""The findings topic: how detect writes what it found, and how the alert writer reads it.

One Kafka record per finding, in the partition of the record it is about:

- progress marker: key `<generation>|<offset>`, no value;
- match: key a JSON object `{"g","o","t","m","i","e","h"}` (generation, offset, record timestamp in ms, masks, event id,
  entities, headers that say where it came from), value the event as it came;
- clean event (only where every event is scored): the same without `m`, `h` and a value;
- dead letter: key `{"g","o","t","c","f","d","s"}` (cause, field, detail, size), value the raw bytes; cut where they
  are more than a record may have. A cause that Spark has not named is named by the reader.

The raw event travels as the value untouched: nothing is encoded twice and any bytes survive. Within one generation
and partition the findings are in the order of the offsets, so each of them says that everything before is decided.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import orjson
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.finding import MAX_DEAD_LETTER_BYTES, MAX_ENTITY_CHARACTERS, DeadLetter, FindingBatch, Match
from sentinel.domain.origin import ORIGIN_HEADERS, UNKNOWN, Origin, origin_of
from sentinel.domain.pipeline import PipelineConfig
from sentinel.streaming.query.evaluate import CompiledRuleSet, any_mask, mask_names
from sentinel.streaming.query.layout import Mask, rules_of_masks
from sentinel.streaming.query.parse import HEADERS

# Of headers that say where an event came from: longer ones say nothing, and nobody needs more than the first few.
MAX_HEADER_BYTES = 128
MAX_HEADERS = 4
_OPEN_BRACE = ord("{")


class FindingRecord(Protocol):
    """The part of a Kafka record that decoding needs (confluent_kafka.Message has it)."""

    def key(self) -> bytes: ...
    def value(self) -> bytes | None: ...
    def partition(self) -> int: ...


def finding_columns(
    evaluated: DataFrame,
    compiled: CompiledRuleSet,
    schema: EventSchema,
    *,
    generation_id: int,
    marker_every: int,
    first_offsets: dict[int, int],
    config: PipelineConfig,
) -> DataFrame:
    """Turn evaluated records into records of the findings topic.

    Columns in: those of `CompiledRuleSet.evaluate`. Columns out: key string, value binary, partition int.
    Rows that are neither a match, a dead letter nor due for a marker are dropped; `marker_every` 0 asks for no markers
    (micro-batches need none), 1 for one at every record. The first record that a generation
    reads in each partition always yields a marker, which tells the writer that the generation answers.
    """
    kept = evaluated
    if marker_every != 1:
        due = F.col("offset") % marker_every == 0 if marker_every else F.lit(False)
        for partition, offset in first_offsets.items():
            due = due | ((F.col("partition") == partition) & (F.col("offset") == offset))
        told = compiled.matched() | F.col("cause").isNotNull() | F.lit(config.score_every_event)
        kept = evaluated.where(told | due)
    # The generation is a column and no part of the code, which is the same, and compiled already, for the next one.
    marked = kept.select("*", F.lit(generation_id).alias("_g"))
    return marked.select(*_projection(schema, len(compiled.masks), config, HEADERS in marked.columns))


@lru_cache(maxsize=256)
def _projection(schema: EventSchema, mask_count: int, config: PipelineConfig, has_headers: bool) -> list[Column]:
    """Build key, value and partition. Hundreds of calls to the JVM: a change of rules must not repeat it."""
    masks = mask_names(mask_count)
    dead, matched = F.col("cause").isNotNull(), any_mask(masks)
    place: list[Column] = [
        F.col("_g").alias("g"),
        F.col("offset").alias("o"),
        F.unix_millis("timestamp").alias("t"),
    ]
    entities = entity_columns(schema)
    about_event = [
        F.when(matched, F.array(*[F.col(name) for name in masks])).alias("m"),
        F.col("event_id").alias("i"),
        F.struct(*entities).alias("e") if entities else F.lit(None).cast("string").alias("e"),
    ]
    if has_headers:
        about_event.append(F.when(matched, origin_headers()).alias("h"))
    about_dead = [
        F.col("cause").alias("c"),
        F.col("field").alias("f"),
        F.col("detail").alias("d"),
        F.octet_length("value").alias("s"),
    ]
    key = (
        F.when(dead, F.to_json(F.struct(*place, *about_dead)))
        .when(matched | F.lit(config.score_every_event), F.to_json(F.struct(*place, *about_event)))
        .otherwise(F.concat_ws("|", F.col("_g").cast("string"), F.col("offset").cast("string")))
    )
    too_large = F.octet_length("value") > config.max_record_bytes
    value = F.when(too_large, F.substring("value", 1, MAX_DEAD_LETTER_BYTES)).when(dead | matched, F.col("value"))
    return [key.alias("key"), value.alias("value"), F.col("partition")]


def origin_headers() -> Column:
    """Return the headers of a record that say where it came from; a hostile record's are no longer than others'."""
    return F.slice(
        F.filter(
            HEADERS,
            lambda header: header["key"].isin(*ORIGIN_HEADERS) & (F.octet_length(header["value"]) <= MAX_HEADER_BYTES),
        ),
        1,
        MAX_HEADERS,
    )


def entity_columns(schema: EventSchema) -> list[Column]:
    """Return the entities of an event as texts, null where there is none."""
    return [
        F.substring(F.col(f"event.`{entity.name}`").cast("string"), 1, MAX_ENTITY_CHARACTERS).alias(entity.name)
        for entity in schema.entities
    ]


@dataclass(slots=True)
class DecodedFindings:
    """The findings of one poll, by generation. `ignored` counts those of generations nobody asked for."""

    batches: dict[int, FindingBatch]
    ignored: int = 0


@dataclass(slots=True)
class FindingDecoder:
    """Decode findings of the generations that count; everything else is ignored.

    Markers are most of the volume: of those only the last per partition is parsed.

    Attributes:
        masks: Generation -> what its masks stand for.
    """

    masks: Mapping[int, tuple[Mask, ...]]
    _prefixes: dict[int, bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._prefixes = {generation: b"%d|" % generation for generation in self.masks}

    def decode(self, records: Iterable[FindingRecord]) -> DecodedFindings:
        """Decode a poll's records, which are in order per partition."""
        batches = {generation: FindingBatch() for generation in self.masks}
        decoded = DecodedFindings(batches)
        last_markers: dict[tuple[int, int], bytes] = {}
        prefixes = list(self._prefixes.items())
        for record in records:
            key = record.key()
            if key[0] == _OPEN_BRACE:
                head = orjson.loads(key)
                batch = batches.get(head["g"])
                if batch is None:
                    decoded.ignored += 1
                else:
                    add_finding(batch, record.partition(), head, record.value(), self.masks[head["g"]])
                continue
            for generation, prefix in prefixes:
                if key.startswith(prefix):
                    last_markers[generation, record.partition()] = key
                    break
            else:
                decoded.ignored += 1
        for (generation, partition), key in last_markers.items():
            offset = int(key[len(self._prefixes[generation]) :]) + 1
            reached = batches[generation].next_offsets
            reached[partition] = max(offset, reached.get(partition, 0))
        return decoded


def add_finding(
    batch: FindingBatch, partition: int, head: dict[str, Any], value: bytes | None, masks: Sequence[Mask]
) -> None:
    """Add one match, clean event or dead letter, given the decoded key, the value and what the masks stand for."""
    offset: int = head["o"]
    if "c" in head:
        batch.dead_letters.append(
            DeadLetter(
                partition,
                offset,
                head["t"],
                head["c"],
                head.get("f"),
                head.get("d") or "",
                value,
                head.get("s") or 0,
            )
        )
    else:
        rules = rules_of_masks(head["m"], masks) if head.get("m") else ()
        origin = _origin(head["h"]) if head.get("h") else UNKNOWN
        match = Match(partition, offset, head["t"], head["i"], rules, head.get("e") or {}, value or b"", origin)
        (batch.matches if rules else batch.clean).append(match)
    batch.next_offsets[partition] = max(offset + 1, batch.next_offsets.get(partition, 0))


def _origin(headers: Sequence[Mapping[str, str]]) -> Origin:
    """Read headers as `to_json` writes them: the value in Base64."""
    try:
        return origin_of([(header["key"], b64decode(header["value"])) for header in headers])
    except (KeyError, binascii.Error):
        # A header without a value is written without one.
        return UNKNOWN
