"""Timetables and files."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import orjson
import pytest

from sentinel.errors import InvalidError
from sentinel.workload.feed import Chunk, Replay, generated, parse_speed
from sentinel.workload.generator import CardTransactions


def flat(chunks: Iterable[Chunk]) -> tuple[list[bytes | None], list[float]]:
    found = list(chunks)
    values = [message["value"] for chunk in found for message in chunk.messages]
    return values, [due for chunk in found for due in chunk.due or []]


class TestGenerated:
    def test_count_is_exact_across_blocks(self) -> None:
        values, due = flat(generated(CardTransactions(1), rate=100.0, count=1_300))
        assert len(values) == 1_300
        assert due[:3] == [0.0, 0.01, 0.02]
        assert due[-1] == pytest.approx(12.99)
        assert due == sorted(due)

    def test_without_a_pace_nothing_waits(self) -> None:
        assert next(generated(CardTransactions(1), rate=None, count=5)).due is None

    def test_records_are_keyed_by_card(self) -> None:
        chunk = next(generated(CardTransactions(1), rate=None, count=50))
        assert [message["key"] for message in chunk.messages] == [
            orjson.loads(message["value"] or b"")["card_id"].encode() for message in chunk.messages
        ]

    def test_labels_name_positions_in_the_stream(self) -> None:
        labels: list[tuple[int, bytes]] = []
        values, _ = flat(
            generated(CardTransactions(1), rate=None, count=5_000, labels=lambda at, line: labels.append((at, line)))
        )
        assert labels
        for at, line in labels:
            event = orjson.loads(values[at] or b"")
            assert orjson.loads(line)["transaction_id"] == event["transaction_id"]


class TestReplay:
    def test_lines_are_sent_byte_for_byte(self, tmp_path: Path) -> None:
        file = tmp_path / "x.jsonl"
        file.write_bytes(b'{"a": 1}\r\n\nnot json\n{"a":\xff}')
        assert flat(Replay(file).chunks())[0] == [b'{"a": 1}', b"not json", b'{"a":\xff}']

    def test_gzip_is_told_by_its_content(self, tmp_path: Path) -> None:
        file = tmp_path / "x.jsonl"
        file.write_bytes(gzip.compress(b'{"a":1}\n'))
        assert flat(Replay(file).chunks())[0] == [b'{"a":1}']

    def test_a_damaged_gzip_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "x.jsonl.gz"
        file.write_bytes(gzip.compress(b'{"a":1}\n' * 10_000)[:-20])
        with pytest.raises(InvalidError, match="cannot be read to its end"):
            flat(Replay(file).chunks())

    def test_a_speed_divides_the_gaps(self, tmp_path: Path) -> None:
        file = tmp_path / "x.jsonl"
        times = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z", "2026-01-01T00:00:05Z", "2026-01-01T02:00:20+02:00"]
        file.write_text("".join(f'{{"t":"{time}"}}\n' for time in times))
        # The third line lies before the second: it goes with it, never back.
        assert flat(Replay(file, speed=10.0, time_field="t").chunks())[1] == [0.0, 1.0, 1.0, 2.0]

    @pytest.mark.parametrize("values", [(100, 110.5), (1_767_225_600_000, 1_767_225_610_500)])
    def test_epoch_seconds_and_milliseconds(self, tmp_path: Path, values: tuple[float, float]) -> None:
        file = tmp_path / "x.jsonl"
        file.write_text("".join(f'{{"t":{value}}}\n' for value in values))
        assert flat(Replay(file, speed=1.0, time_field="t").chunks())[1] == [0.0, 10.5]

    def test_lines_without_time_go_with_the_line_before_and_are_counted(self, tmp_path: Path) -> None:
        file = tmp_path / "x.jsonl"
        file.write_text('{"t":100}\n{"t":102}\nnot json\n{"t":true}\n{"t":"soon"}\n[1]\n{"t":103}\n')
        replay = Replay(file, speed=1.0, time_field="t")
        assert flat(replay.chunks())[1] == [0.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0]
        assert replay.untimed == 4

    def test_a_key_field(self, tmp_path: Path) -> None:
        file = tmp_path / "x.jsonl"
        file.write_text('{"k":"a"}\n{"k":7}\n{}\nnot json\n')
        chunk = next(Replay(file, key_field="k").chunks())
        assert [message["key"] for message in chunk.messages] == [b"a", b"7", None, None]

    def test_a_rate_and_a_count(self, tmp_path: Path) -> None:
        file = tmp_path / "x.jsonl"
        file.write_text("{}\n" * 10)
        assert flat(Replay(file, rate=2.0, count=3).chunks()) == ([b"{}"] * 3, [0.0, 0.5, 1.0])

    def test_a_speed_without_a_time_field_says_the_way_out(self, tmp_path: Path) -> None:
        file = tmp_path / "x.jsonl"
        file.write_text("{}\n")
        with pytest.raises(InvalidError, match="--time-field, or use --speed max"):
            Replay(file, speed=2.0)

    def test_a_rate_and_a_speed_are_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "x.jsonl"
        file.write_text("{}\n")
        with pytest.raises(InvalidError, match="not both"):
            Replay(file, speed=2.0, time_field="t", rate=1.0)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidError, match=r"there is no file .*nowhere\.jsonl"):
            Replay(tmp_path / "nowhere.jsonl")


class TestParseSpeed:
    @pytest.mark.parametrize(
        ("text", "speed"), [("100x", 100.0), ("1", 1.0), ("0.5x", 0.5), ("max", None), ("MAX", None)]
    )
    def test_understands(self, text: str, speed: float | None) -> None:
        assert parse_speed(text) == speed

    @pytest.mark.parametrize("text", ["", "fast", "0x", "-1x", "1e3x", "x"])
    def test_refuses(self, text: str) -> None:
        with pytest.raises(InvalidError, match="is not understood"):
            parse_speed(text)
