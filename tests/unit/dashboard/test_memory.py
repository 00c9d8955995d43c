"""What is loaded is taken out of the garbage collector's sight."""

from __future__ import annotations

import gc
import sys
import types
import weakref
from collections.abc import Iterator

import pytest

from dashboard import memory


@pytest.fixture(autouse=True)
def thawed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give back what a test took."""
    monkeypatch.setattr(memory, "_frozen_modules", 0)
    yield
    gc.unfreeze()


class TestSettle:
    def test_a_collection_looks_at_what_came_since_alone(self) -> None:
        assert memory.settle()
        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects()) < gc.get_freeze_count() / 10

    def test_again_only_when_modules_were_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert memory.settle()
        assert not memory.settle()
        monkeypatch.setitem(sys.modules, "loaded_later", types.ModuleType("loaded_later"))
        assert memory.settle()

    def test_garbage_is_collected_and_not_kept(self) -> None:
        class Node:
            me: object = None

        seen: list[int] = []
        node = Node()
        node.me = node
        weakref.finalize(node, seen.append, 1)
        del node
        memory.settle()
        assert seen == [1]
