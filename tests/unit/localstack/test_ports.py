"""Which port a server gets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sentinel.errors import ConfigurationError
from sentinel.localstack.ports import choose_port, free_port, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_that_something_listens_on_is_taken(taken: int) -> None:
    assert not is_free(taken)
    assert is_free(free_port())


def test_an_address_of_another_machine_is_refused_with_its_name() -> None:
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1:80"):
        is_free(80, "192.0.2.1")


def test_the_recorded_port_comes_first(taken: int) -> None:
    recorded, preferred = free_port(), free_port()
    assert choose_port(recorded, preferred, frozenset()) == recorded
    assert choose_port(None, preferred, frozenset()) == preferred
    assert choose_port(taken, preferred, frozenset()) == preferred


def test_a_port_of_another_server_of_the_stack_is_not_given_away() -> None:
    mine = free_port()
    assert choose_port(mine, mine, frozenset({mine})) != mine


def test_a_taken_port_moves_to_one_that_is_free(taken: int) -> None:
    moved = choose_port(None, taken, frozenset())
    assert moved != taken
    assert is_free(moved)
