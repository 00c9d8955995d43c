"""What cannot be decided by itself, set aside, so that it does not keep everything after it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from sentinel.errors import TransientError
from sentinel.notify.deciding.turn import Turn

_LOG = logging.getLogger(__name__)


class _Numbered(Protocol):
    @property
    def id(self) -> int:
        """What the log calls it by: what it holds is the tenant's."""


_T = TypeVar("_T", bound=_Numbered)


def for_all(
    turn: Turn, items: Sequence[_T], work: Callable[[Sequence[_T]], None], failed: Callable[[_T, str], object]
) -> None:
    """Do something about all items; where that fails by what they hold, about each by itself.

    What was decided and written is taken back where it fails. `failed` is told of each item that fails by itself, with
    a sentence, so that it is set aside with a decision. Where none succeeds, the mistake may be ours and a repaired
    service a minute away: nothing is set aside before the turn says that it was waited for long enough.

    Raises:
        TransientError: The store does not answer; all of it is done again by a later turn.
        Exception: What the work raised, where it fails for every item; all of it is done again by a later turn.
    """
    if not items:
        return
    try:
        with turn.attempted():
            work(items)
    except TransientError:
        raise
    except Exception as error:
        _LOG.exception("%d things cannot be decided together; each is tried by itself", len(items))
        together = error
    else:
        return
    refused: list[tuple[_T, Exception]] = []
    for item in items if len(items) > 1 else ():
        try:
            with turn.attempted():
                work([item])
        except TransientError:
            raise
        except Exception as error:
            refused.append((item, error))
    if len(items) == 1:
        refused.append((items[0], together))
    if len(refused) == len(items) and not turn.sets_aside:
        raise together
    for item, reason in refused:
        _LOG.error("%s %d is set aside", type(item).__name__.strip("_"), item.id, exc_info=reason)
        failed(item, f"it cannot be decided ({type(reason).__name__}, see the worker's log): nobody is told by it")
    turn.close()
