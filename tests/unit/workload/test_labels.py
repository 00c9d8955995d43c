"""The labels file holds the labels of what was sent, and of nothing else."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sentinel.errors import InvalidError
from sentinel.workload.labels import LabelsFile


class TestLabelsFile:
    def test_only_sent_transactions_are_written(self, tmp_path: Path) -> None:
        path = tmp_path / "labels.jsonl"
        with LabelsFile(path) as labels:
            for position in (3, 8, 12):
                labels.add(position, b"%d\n" % position)
            labels.settle(8)
            labels.settle(9)
        assert path.read_bytes() == b"3\n8\n"
        assert labels.written == 2

    def test_gz_is_packed(self, tmp_path: Path) -> None:
        path = tmp_path / "labels.jsonl.gz"
        with LabelsFile(path) as labels:
            labels.add(0, b"x\n")
            labels.settle(1)
        assert gzip.decompress(path.read_bytes()) == b"x\n"

    def test_an_unwritable_place_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidError, match="cannot be written to"):
            LabelsFile(tmp_path / "nowhere" / "labels.jsonl")
