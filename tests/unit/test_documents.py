"""YAML as users write it, and as nobody should."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import pytest

from sentinel.documents import MAX_DEPTH, MAX_FILE_BYTES, read_file, read_text, yaml_files
from sentinel.errors import InvalidError


def value_of(text: str) -> object:
    (document,) = read_text(text, "f.yaml")
    return document.value


class TestValues:
    def test_scalars_lists_and_mappings_arrive_as_written(self) -> None:
        text = "a: 1\nb: [x, 1.5, true, null, '1']\nc: {d: |\n    two\n    lines\n  }\nday: 2024-03-15\n"
        text = "a: 1\nb: [x, 1.5, true, null, '1']\nc:\n  d: |\n    two\n    lines\nday: 2024-03-15\n"
        assert value_of(text) == {
            "a": 1,
            "b": ["x", 1.5, True, None, "1"],
            "c": {"d": "two\nlines\n"},
            "day": dt.date(2024, 3, 15),
        }

    def test_several_documents_and_empty_ones(self) -> None:
        assert [document.value for document in read_text("---\n---\na: 1\n---\n# nothing\n---\n- 2\n", "f")] == [
            {"a": 1},
            [2],
        ]

    def test_every_value_knows_its_line(self) -> None:
        (document,) = read_text("\na: 1\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", "f.yaml")
        places = [(), ("a",), ("b",), ("b", 0), ("b", 1), ("b", 1, "d"), ("b", 1, "nothing"), ("zzz",)]
        assert [document.where(place) for place in places] == [f"f.yaml:{line}" for line in (2, 2, 3, 4, 5, 6, 5, 2)]


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("a: 1\nb: &x 2\n", "f.yaml:2: the anchor &x is not taken here"),
            ("a: [*x]\n", "f.yaml:1: the alias *x stands for something else"),
            ("a: 1\n<<: {b: 2}\n", "f.yaml:2: the merge key <<"),
            ("a: 1\nb: 2\n\na: 3\n", "f.yaml:4: the key 'a' is there twice, first on line 1"),
            ("a:\n\tb: 1\n", "f.yaml:2: a tab, which YAML does not take for indentation"),
            ("a: !!python/object/apply:os.system ['true']\n", "f.yaml:1: the tag tag:yaml.org,2002:python/object"),
            ("!x\na: 1\n", "f.yaml:1: the tag !x is not taken here"),
            ("no: 1\n", "f.yaml:1: the key 'no' is not a text; put it into quotes"),
            ("1: x\n", "f.yaml:1: the key '1' is not a text"),
            ("? [a]\n: 1\n", "f.yaml:1: the key a list or mapping is not a text"),
            ("a: 1\nb: [1, 2\n", "f.yaml:3: "),
            ("a: 'x\n", "f.yaml:2: "),
            ("a: 2024-13-45\n", "f.yaml:1: '2024-13-45' is no value"),
            ("a: b: c\n", "f.yaml:1: mapping values are not allowed"),
            ("a: \x01\n", "f.yaml:1: "),
            (f"{'[' * 100}{']' * 100}", f"f.yaml:1: it is nested deeper than {MAX_DEPTH} levels"),
            (f"a: {'9' * 5000}\n", "f.yaml:1: "),
            ("a: @x\n", "f.yaml:1: "),
            ("%YAML 9.9\n---\na: 1\n", "f.yaml"),
        ],
    )
    def test_it_is_said_with_file_and_line(self, text: str, sentence: str) -> None:
        with pytest.raises(InvalidError) as refused:
            read_text(text, "f.yaml")
        assert refused.value.message.startswith(sentence)

    def test_a_bomb_of_aliases_is_refused_at_once(self) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
        begun = time.thread_time()
        with pytest.raises(InvalidError, match="anchor"):
            read_text("\n".join(lines), "bomb.yaml")
        assert time.thread_time() - begun < 1

    def test_depth_and_number_do_not_exhaust_anything(self) -> None:
        begun = time.thread_time()
        with pytest.raises(InvalidError, match="nested deeper"):
            read_text("[" * 1_000_000, "f")
        with pytest.raises(InvalidError, match="more than 200,000 values"):
            read_text("- x\n" * 300_000, "f")
        assert time.thread_time() - begun < 20

    def test_what_is_no_utf_8_or_too_large(self, tmp_path: Path) -> None:
        path = tmp_path / "f.yaml"
        path.write_bytes(b"a: 1\nb: \xff\n")
        with pytest.raises(InvalidError, match=r"f.yaml:2: byte 0xff is not UTF-8"):
            read_file(path)
        path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
        with pytest.raises(InvalidError, match="larger than 5,000,000 bytes"):
            read_file(path)
        path.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
        assert [document.value for document in read_file(path)] == [{"a": 1}]

    def test_what_is_not_there_or_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidError, match="there is no file or directory"):
            yaml_files(tmp_path / "nothing")
        (tmp_path / "d.yaml").mkdir()
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git" / "x.yaml").write_text("a: 1")
        (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
        assert yaml_files(tmp_path) == []
        with pytest.raises(InvalidError, match="cannot be read"):
            read_file(tmp_path / "d.yaml")
