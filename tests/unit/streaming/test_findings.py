"""Decoding findings."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

import orjson

from sentinel.domain.origin import UNKNOWN, Origin
from sentinel.streaming.query.findings import FindingDecoder
from sentinel.streaming.query.layout import Mask

MASKS = (Mask((0, 1, 2)), Mask((32,)))


@dataclass(frozen=True)
class Record:
    the_key: bytes
    the_value: bytes | None = None
    the_partition: int = 0

    def key(self) -> bytes:
        return self.the_key

    def value(self) -> bytes | None:
        return self.the_value

    def partition(self) -> int:
        return self.the_partition


class TestFindingDecoder:
    def test_markers_move_progress_to_the_offset_after_the_last(self) -> None:
        decoded = FindingDecoder({7: MASKS}).decode([Record(b"7|4"), Record(b"7|5"), Record(b"7|2", None, 1)])
        assert decoded.batches[7].next_offsets == {0: 6, 1: 3}

    def test_a_generation_whose_number_begins_with_another_is_not_mistaken_for_it(self) -> None:
        decoded = FindingDecoder({7: MASKS, 71: MASKS}).decode([Record(b"71|9"), Record(b"7|4")])
        assert (decoded.batches[7].next_offsets, decoded.batches[71].next_offsets) == ({0: 5}, {0: 10})

    def test_other_generations_are_ignored_and_counted(self) -> None:
        key = orjson.dumps({"g": 3, "o": 1, "t": 0, "m": [1], "i": "x"})
        decoded = FindingDecoder({7: MASKS}).decode([Record(b"3|4"), Record(key, b"{}")])
        assert (bool(decoded.batches[7]), decoded.ignored) == (False, 2)

    def test_a_match_carries_its_rules_entities_and_the_event_untouched(self) -> None:
        key = orjson.dumps({"g": 7, "o": 8, "t": 5, "m": [5, 1], "i": "e1", "e": {"user_id": "u"}})
        (match,) = FindingDecoder({7: MASKS}).decode([Record(key, b'{"a": 1}')]).batches[7].matches
        assert (match.rules, match.entities, match.raw) == ((0, 2, 32), {"user_id": "u"}, b'{"a": 1}')

    def test_a_match_knows_the_request_that_its_record_names(self) -> None:
        head = {"g": 7, "o": 8, "t": 5, "m": [5, 1], "i": "e1"}
        said = [{"key": "sentinel-request-id", "value": b64encode(b"shop-17").decode()}]
        hostile = [{"key": "sentinel-request-id", "value": "no base64"}, {"key": "traceparent"}]
        records = [
            Record(orjson.dumps({**head, **more}), b"{}") for more in ({"h": said}, {"h": []}, {}, {"h": hostile})
        ]
        matches = FindingDecoder({7: MASKS}).decode(records).batches[7].matches
        assert [match.origin for match in matches] == [Origin("shop-17"), UNKNOWN, UNKNOWN, UNKNOWN]

    def test_a_dead_letter_keeps_its_bytes(self) -> None:
        key = orjson.dumps({"g": 7, "o": 8, "t": 5, "c": "not_json", "d": "x", "s": 3})
        (letter,) = FindingDecoder({7: MASKS}).decode([Record(key, b"\xff\x00{")]).batches[7].dead_letters
        assert (letter.cause, letter.raw, letter.raw_size_bytes) == ("not_json", b"\xff\x00{", 3)

    def test_a_tombstone_has_no_bytes(self) -> None:
        key = orjson.dumps({"g": 7, "o": 8, "t": 5, "c": "tombstone"})
        (letter,) = FindingDecoder({7: MASKS}).decode([Record(key)]).batches[7].dead_letters
        assert (letter.raw, letter.raw_size_bytes, letter.offset) == (None, 0, 8)

    def test_an_event_without_a_match_is_clean(self) -> None:
        key = orjson.dumps({"g": 7, "o": 8, "t": 5, "i": "e1"})
        batch = FindingDecoder({7: MASKS}).decode([Record(key)]).batches[7]
        assert ([c.event_id for c in batch.clean], batch.matches, batch.next_offsets) == (["e1"], [], {0: 9})
