"""Which port a server gets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel.errors import ConfigurationError
from sentinel.localstack import ports
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


def test_each_call_gives_another_port() -> None:
    given = [free_port() for _ in range(20)]
    assert len(set(given)) == len(given)


def test_no_outgoing_connection_gets_a_port_that_is_given() -> None:
    """A server that is away for a while comes back on its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as one:
        outgoing = one.getsockname()[1]
    assert max(free_port() for _ in range(20)) < outgoing


def test_what_the_system_does_not_tell_or_tells_oddly_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "range"
    monkeypatch.setattr(ports, "_OUTGOING", told)
    for text in (None, "", "many few", "1024\t65535"):
        if text is not None:
            told.write_text(text)
        assert 10_240 <= free_port() < 32_768


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
