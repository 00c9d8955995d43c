"""What a topic lacks of the records that are to be read next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """What a partition holds now: low is the first record, high the offset of the next one to come."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class SourceGap:
    """The difference between the ledger's progress and a topic.

    Attributes:
        lost: Partition -> (next undecided offset, first offset the topic still holds).
        recreated: Partition -> (next undecided offset, end of the topic), where the topic ends before it.
        gone: Partition -> next undecided offset, where the topic has no such partition.
        replaced: The id of the topic that was read and the id of the one that has its name now, where they differ.
    """

    lost: Mapping[int, tuple[int, int]]
    recreated: Mapping[int, tuple[int, int]]
    gone: Mapping[int, int]
    replaced: tuple[str, str] | None = None

    def __bool__(self) -> bool:
        return bool(self.lost or self.is_new_topic)

    @property
    def is_new_topic(self) -> bool:
        """Whether the topic must have been made anew."""
        return bool(self.recreated or self.gone or self.replaced)

    def __str__(self) -> str:
        texts = [f"partition {p} lost offsets {start} to {low - 1}" for p, (start, low) in sorted(self.lost.items())]
        texts += [
            f"partition {p} ends at {end}, {at} was to be next" for p, (at, end) in sorted(self.recreated.items())
        ]
        texts += [f"partition {p} is gone, {at} was to be next" for p, at in sorted(self.gone.items())]
        if self.replaced:
            texts.append("it was deleted and made anew: its id was {} and is {}".format(*self.replaced))
        return "; ".join(texts)


def gap_between(
    decided: Mapping[int, int], ranges: Mapping[int, OffsetRange], ids: tuple[str, str] = ("", "")
) -> SourceGap:
    """Compare what is to be read next with what the topic holds.

    Args:
        ids: The id of the topic that was read so far and of the one that is there; empty where it is not known.
    """
    present = {p: (offset, ranges[p]) for p, offset in decided.items() if p in ranges}
    return SourceGap(
        lost={p: (offset, place.low) for p, (offset, place) in present.items() if offset < place.low},
        recreated={p: (offset, place.high) for p, (offset, place) in present.items() if offset > place.high},
        gone={p: offset for p, offset in decided.items() if p not in ranges},
        replaced=ids if all(ids) and ids[0] != ids[1] else None,
    )
