"""What applying files would do, and doing it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from sentinel.client import Client
from sentinel.documents import refuse_all
from sentinel.errors import ConflictError, ErrorDetail, SentinelError
from sentinel.files.kinds import KINDS
from sentinel.files.kinds.base import Change, Declarations, PutOffError
from sentinel.files.remote import Remote

# As many as the API takes in one request, and half of the bytes that its body may have, for what is around the texts.
MAX_TOGETHER = 1000
MAX_CHARACTERS = 200_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What leads from what the API has to what the files say.

    Attributes:
        changes: In the order in which they are made.
        extra: What the API has and no file declares: kind and key. It stays.
    """

    changes: tuple[Change, ...]
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    problems: tuple[ErrorDetail, ...] = field(default=(), repr=False)

    @property
    def breaking(self) -> tuple[Change, ...]:
        """Changes of schemas that break something."""
        return tuple(change for change in self.changes if change.breaking)

    def count(self, action: str) -> int:
        """Return how many changes are of one action."""
        return sum(change.action == action for change in self.changes)


class StoppedError(ConflictError):
    """Applying stopped; the message tells what was done and what was not."""


def make_plan(client: Client, declared: Declarations, *, prune: bool) -> Plan:
    """Compare files with what the API has. Changes nothing.

    Args:
        prune: Whether rules that no file declares are archived. Pipelines that no file declares always stay.

    Raises:
        InvalidError: Something cannot be applied: a rule that is refused, a property that is fixed; all of it is told.
    """
    plan = _compared(Remote(client), declared, prune=prune)
    refuse_all(plan.problems)
    return plan


def apply_plan(
    client: Client,
    declared: Declarations,
    plan: Plan,
    *,
    prune: bool,
    allow_breaking: bool = False,
    tell: Callable[[Change], None] = lambda _: None,
) -> int:
    """Make the changes of a plan in order and stop at the first that fails.

    A change that others stand in the way of (a rule that is still referred to) is put off until they are made. What
    somebody else has changed since the plan was made is refused, by the version that each change names. Only where a
    change of a schema switches rules off are the changes of that pipeline's rules worked out anew.

    Args:
        tell: Called after each change that was made.

    Returns:
        How many changes were made.

    Raises:
        StoppedError: A change failed, or breaks something that was not allowed; then nothing was done.
    """
    if plan.breaking and not allow_breaking:
        said = "; ".join(f"{change.title}: {note}" for change in plan.breaking for note in change.notes)
        raise StoppedError(f"nothing was changed: {said}. Give --allow-breaking to go on")
    done = 0
    changes = list(plan.changes)
    put_off = 0
    remote = Remote(client)
    by_themselves: set[tuple[str, ...]] = set()
    while changes:
        group = _together(changes, by_themselves)
        if len(group) > 1:
            try:
                KINDS[group[0].kind].apply_together(group, remote)
            except SentinelError:
                # None of them was made. One by one, those before the one that cannot be are, and it says why.
                by_themselves |= {change.key for change in group}
            else:
                del changes[: len(group)]
                done += len(group)
                put_off = 0
                for change in group:
                    tell(change)
            continue
        change = changes.pop(0)
        try:
            KINDS[change.kind].apply(change, remote)
        except SentinelError as error:
            if isinstance(error, PutOffError) and put_off < len(changes):
                changes.append(error.change)
                put_off += 1
                continue
            left = f", {len(changes)} more were not tried" if changes else ""
            whys = [f"\n  {detail.detail}" for detail in error.details if detail.detail not in error.message]
            raise StoppedError(
                f"{change.title}: {error.message}{''.join(whys)}\n"
                f"stopped after {done} of {done + 1 + len(changes)} changes{left}; "
                "what was done stays, and the next plan shows the rest"
            ) from error
        done += 1
        put_off = 0
        tell(change)
        if change.kind == "pipeline":
            remote = Remote(client)
            if change.breaking:
                changes = _anew(changes, remote, declared, change.pipeline, prune=prune)
    return done


def _together(changes: Sequence[Change], by_themselves: Collection[tuple[str, ...]]) -> list[Change]:
    """Return those of the next changes that fit into one request."""
    group: list[Change] = []
    size = 0
    for change in changes[:MAX_TOGETHER]:
        if change.key in by_themselves or not KINDS[change.kind].is_plain(change):
            break
        size += sum(len(str(item.after)) for item in change.differences)
        if group and ((change.kind, change.pipeline) != (group[0].kind, group[0].pipeline) or size > MAX_CHARACTERS):
            break
        group.append(change)
    return group


def _compared(remote: Remote, declared: Declarations, *, prune: bool) -> Plan:
    changes: list[Change] = []
    extra: list[tuple[str, tuple[str, ...]]] = []
    problems: list[ErrorDetail] = []
    for name, kind in KINDS.items():
        found = kind.compare(declared, remote, prune=prune)
        changes += found.changes
        extra += [(name, key) for key in found.extra]
        problems += found.problems
    return Plan(tuple(changes), tuple(extra), tuple(dict.fromkeys(problems)))


def _anew(
    changes: Sequence[Change], remote: Remote, declared: Declarations, pipeline: str, *, prune: bool
) -> list[Change]:
    """Return the changes that are left, those of what belongs to a pipeline worked out anew."""
    fresh = _compared(remote, declared, prune=prune).changes
    kept = [change for change in changes if change.kind != "rule" or change.pipeline != pipeline]
    return kept + [change for change in fresh if change.kind == "rule" and change.pipeline == pipeline]
