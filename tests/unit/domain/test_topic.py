"""Names of topics."""

from __future__ import annotations

import pytest

from sentinel.domain.topic import topic_problem


@pytest.mark.parametrize("name", ["t", "card-transactions", "A.b_c-9", "x" * 249, "_x", "sentinel"])
def test_names_that_can_be(name: str) -> None:
    assert topic_problem(name) is None


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a b", "a/b", "ä", "a\n", "x" * 250, "sentinel.x", "__consumer_offsets"]
)
def test_names_that_cannot_be(name: str) -> None:
    assert topic_problem(name)


def test_the_wrong_characters_are_named() -> None:
    assert "' ', '!'" in str(topic_problem("a b!"))
