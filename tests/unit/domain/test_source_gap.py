"""What a topic lacks of what is to be read next."""

from __future__ import annotations

import pytest

from sentinel.domain.source_gap import OffsetRange, gap_between


@pytest.mark.parametrize(
    ("decided", "held", "ids", "text", "is_new"),
    [
        ({0: 5}, {0: (5, 5)}, ("a", "a"), "", False),
        ({0: 5}, {0: (0, 9), 1: (0, 1)}, ("", "a"), "", False),
        ({0: 5}, {0: (7, 9)}, ("a", "a"), "partition 0 lost offsets 5 to 6", False),
        ({0: 5}, {0: (0, 2)}, ("a", "a"), "partition 0 ends at 2, 5 was to be next", True),
        ({0: 5, 1: 3}, {0: (0, 9)}, ("a", "a"), "partition 1 is gone, 3 was to be next", True),
        ({0: 5}, {0: (0, 9)}, ("a", "b"), "it was deleted and made anew: its id was a and is b", True),
    ],
)
def test_a_gap_says_what_is_missing(
    decided: dict[int, int], held: dict[int, tuple[int, int]], ids: tuple[str, str], text: str, is_new: bool
) -> None:
    gap = gap_between(decided, {p: OffsetRange(*span) for p, span in held.items()}, ids)
    assert (str(gap), bool(gap), gap.is_new_topic) == (text, bool(text), is_new)
