"""Labels as people upload them."""

from __future__ import annotations

import pytest

from sentinel.domain import labels as module
from sentinel.domain.labels import Labels, read_labels
from sentinel.errors import InvalidError


def problems(content: bytes, **columns: str) -> list[str]:
    with pytest.raises(InvalidError) as caught:
        read_labels(content, **columns)
    return [detail.detail for detail in caught.value.details]


class TestReading:
    def test_the_first_two_columns_are_id_and_label(self) -> None:
        assert read_labels(b"id,fraud,note\na,1,x\nb,0,y\n\nc,TRUE,\nd, no ,z\n") == Labels(("a", "c"), ("b", "d"))

    def test_columns_may_be_named(self) -> None:
        content = "\ufefflabel,note,event\nyes,,ü\n".encode()
        assert read_labels(content, id_column="event", label_column="label") == Labels(("ü",), ())

    def test_quoted_ids_keep_what_is_in_them(self) -> None:
        assert read_labels(b'id,label\n"a,b\nc",t\n" x ",f\n').true == ("a,b\nc",)

    def test_the_same_label_twice_is_one(self) -> None:
        assert read_labels(b"id,label\na,1\na,true\n") == Labels(("a",), ())

    def test_they_survive_being_stored(self) -> None:
        labels = Labels(("a", "\x00ü"), ("b",))
        assert Labels.from_bytes(labels.to_bytes()) == labels


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "it has nothing"),
            (b"id\na", "it has 'id'"),
            (b"id,label\n", "no labels below"),
            (b"id,label\na,maybe\n", "line 2: 'maybe' is no label"),
            (b"id,label\na\n", "line 2: it has 1 columns"),
            (b"id,label\n,1\n", "line 2: an event id has 1 to"),
            (b"id,label\na,1\nb,0\na,0\n", "line 4: the event 'a' is labelled both"),
            (b"id,label\n\xff,1\n", "byte 9 is not UTF-8"),
            (b'id,label\n"a,1\n', "it is not CSV"),
            (b"id,label\n" + b"x" * 200_000 + b",1\n", "it is not CSV"),
        ],
    )
    def test_what_is_wrong_is_told_with_its_place(self, content: bytes, said: str) -> None:
        assert said in problems(content)[0]

    def test_a_column_that_is_not_there(self) -> None:
        assert problems(b"id,label\na,1\n", id_column="nowhere") == [
            "the heading must name the column 'nowhere' once; it has 'id', 'label'"
        ]

    def test_all_problems_up_to_a_bound(self) -> None:
        assert len(problems(b"id,label\n" + b"a,?\n" * 100)) == 20

    def test_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MAX_LABELS", 2)
        assert "more than 2 labels" in problems(b"id,label\na,1\nb,1\nc,1\n")[0]
