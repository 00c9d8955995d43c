"""Count outcomes in one pass and in bounded memory, however many different combinations of rules there are.

Runs inside Spark's tasks on Arrow batches, one tally per task; the tallies are added up afterwards. Grouping by the
masks in SQL would keep a row per combination that occurs, of which 20 independent rules have a million.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sentinel.streaming.query.layout import PART_BITS, RULES_PER_MASK, Mask, bit_of, places_in

Counts = NDArray[np.int64]
Bits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TallyShape:
    """What is counted.

    Attributes:
        asked: Rules that are tested. They come first among all rules, then variants, then those they are held against.
        variants: Rules that are only counted against labels: a threshold of a sweep each.
        others: Rules that the tested ones are held against.
        buckets: Columns of the curve.
        samples: Events kept per tested rule.
        masks: What the mask columns stand for.
    """

    asked: int
    variants: int
    others: int
    buckets: int
    samples: int
    masks: tuple[Mask, ...]

    @property
    def rules(self) -> int:
        """All rules."""
        return self.asked + self.variants + self.others

    @property
    def counted(self) -> int:
        """Rules that have a curve and are held against labels."""
        return self.asked + self.variants


@dataclass(slots=True)
class Tally:
    """Counts of outcomes.

    Attributes:
        events: Per bucket.
        matches: Per counted rule and bucket.
        unknown: Per tested rule and bucket.
        labelled: Events without a label, labelled false, labelled true.
        true_matches: Per counted rule: matches labelled true.
        false_matches: Per counted rule: matches labelled false.
        other_matches: Per other rule.
        both: Per tested and other rule: events that both match.
        sampled: Per tested rule and sample: rank, generation, partition, offset; rank decides which are kept and is
            the largest number where there is none.
    """

    events: Counts
    matches: Counts
    unknown: Counts
    labelled: Counts
    true_matches: Counts
    false_matches: Counts
    other_matches: Counts
    both: Counts
    sampled: Counts

    @classmethod
    def empty(cls, shape: TallyShape) -> Tally:
        """Return a tally of nothing."""

        def zeros(*size: int) -> Counts:
            return np.zeros(size, np.int64)

        return cls(
            events=zeros(shape.buckets),
            matches=zeros(shape.counted, shape.buckets),
            unknown=zeros(shape.asked, shape.buckets),
            labelled=zeros(3),
            true_matches=zeros(shape.counted),
            false_matches=zeros(shape.counted),
            other_matches=zeros(shape.others),
            both=zeros(shape.asked, shape.others),
            sampled=np.full((shape.asked, shape.samples, 4), _NONE, np.int64),
        )

    def add(self, shape: TallyShape, batch: pa.RecordBatch) -> None:
        """Count a batch.

        Columns in: bucket int, label boolean (may be null), rank bigint, generation_id bigint, partition int, offset
        bigint, then the masks and the unknown columns.
        """
        bucket = _numbers(batch, "bucket")
        true, false = _labels(batch)
        self.events += np.bincount(bucket, minlength=shape.buckets)
        self.labelled += np.array([len(bucket) - true.sum() - false.sum(), false.sum(), true.sum()])
        place = np.stack([_numbers(batch, name) for name in ("rank", "generation_id", "partition", "offset")], axis=1)
        other = np.zeros((len(bucket), shape.others), np.float32)
        tested = np.zeros((len(bucket), shape.asked), np.float32)
        for index, mask in enumerate(shape.masks):
            values = _numbers(batch, f"_mask_{index}")
            if not values.any():
                continue
            for part, bit, rule in places_in(mask):
                matched = values & bit_of(PART_BITS, bit) == bit_of(part, bit)
                if not matched.any():
                    continue
                if rule >= shape.counted:
                    other[:, rule - shape.counted] = matched
                    continue
                self.matches[rule] += np.bincount(bucket[matched], minlength=shape.buckets)
                self.true_matches[rule] += (matched & true).sum()
                self.false_matches[rule] += (matched & false).sum()
                if rule < shape.asked:
                    tested[:, rule] = matched
                    self._sample(rule, place[matched])
        # A batch is far below the 16 million up to which a float32 counts exactly.
        self.both += (tested.T @ other).astype(np.int64)
        self.other_matches += other.sum(axis=0).astype(np.int64)
        for rule in range(shape.asked):
            unknown = (_numbers(batch, f"_unknown_{rule // RULES_PER_MASK}") >> (rule % RULES_PER_MASK)) & 1 == 1
            self.unknown[rule] += np.bincount(bucket[unknown], minlength=shape.buckets)

    def merge(self, other: Tally) -> None:
        """Add what another one counted."""
        for field in fields(self):
            if field.name != "sampled":
                mine: Counts = getattr(self, field.name)
                mine += getattr(other, field.name)
        for rule, places in enumerate(other.sampled):
            self._sample(rule, places)

    def places(self, rule: int) -> list[tuple[int, int, int]]:
        """Return (generation, partition, offset) of the events kept for a tested rule, in a fixed order."""
        return [(int(g), int(p), int(o)) for rank, g, p, o in self.sampled[rule] if (rank, g, p, o) != (_NONE,) * 4]

    def to_bytes(self) -> bytes:
        """Return the form in which a task hands it over."""
        buffer = io.BytesIO()
        np.savez(buffer, **{field.name: getattr(self, field.name) for field in fields(self)})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Tally:
        """Read what a task handed over."""
        with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def _sample(self, rule: int, places: Counts) -> None:
        """Keep the events of lowest rank, ties by their place: the same whatever the order they come in."""
        kept = self.sampled.shape[1]
        if not kept:
            return
        # Most batches have nothing to add once some were seen.
        places = places[places[:, 0] <= self.sampled[rule, -1, 0]]
        both = np.concatenate([self.sampled[rule], places])
        order = np.lexsort((both[:, 3], both[:, 2], both[:, 1], both[:, 0]))
        self.sampled[rule] = both[order[:kept]]


_NONE = np.iinfo(np.int64).max


def _numbers(batch: pa.RecordBatch, name: str) -> Counts:
    return np.asarray(batch.column(name)).astype(np.int64, copy=False)


def _labels(batch: pa.RecordBatch) -> tuple[Bits, Bits]:
    column = batch.column("label")
    known = np.asarray(column.is_valid())
    value = np.asarray(column.fill_null(False))
    return known & value, known & ~value
