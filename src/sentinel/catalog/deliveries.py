"""Use cases on deliveries: why an alert was told or not, what became of it, send dead ones again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sentinel.catalog.audit import Auditor
from sentinel.domain.delivery import DeliveryState
from sentinel.domain.notification_decision import Outcome
from sentinel.domain.notification_history import (
    DeliveryDetail,
    DeliveryFilter,
    DeliverySummary,
    OverdueDelivery,
    Redriven,
    Why,
    WhyStep,
)
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.stores.notification_config import DeliveryReader

MAX_REDRIVES = 3
"""How often one delivery is sent again unless somebody insists: a loop of redrives helps nobody."""
MAX_INSISTED = 2**31 - 1
OVERDUE = timedelta(seconds=60)


class DeliveryCatalog:
    """Deliveries of one tenant."""

    def __init__(
        self, deliveries: DeliveryReader, auditor: Auditor, *, caller: str, now: Callable[[], datetime]
    ) -> None:
        self._deliveries = deliveries
        self._auditor = auditor
        self._caller = caller
        self._now = now

    def why(self, alert_id: int) -> Why:
        """Return why somebody was told of an alert, or nobody.

        Raises:
            NotFoundError: There is no such alert.
        """
        steps = self._deliveries.why(alert_id)
        if steps is None:
            raise NotFoundError(f"there is no alert {alert_id}")
        waiting = self._deliveries.is_waiting(alert_id)
        summary = summary_of(steps, self._deliveries.under_way(alert_id), is_waiting=waiting)
        return Why(alert_id, summary, waiting, tuple(steps), self._deliveries.fired(alert_id))

    def page(self, wanted: DeliveryFilter, *, before: str | None, limit: int) -> list[DeliverySummary]:
        """Return deliveries, newest first.

        Raises:
            InvalidError: There is no delivery `before`: a page without any would look like the last.
        """
        if before is not None and self._deliveries.get(before) is None:
            raise InvalidError(
                f"there is no delivery {before[:64]!r} (any more) to continue after; begin anew",
                details=[ErrorDetail("/before", "unknown")],
            )
        return self._deliveries.page(wanted, before=before, limit=limit)

    def get(self, delivery_id: str) -> DeliveryDetail:
        """Return a delivery with what it says and its attempts.

        Raises:
            NotFoundError: There is no such delivery.
        """
        found = self._deliveries.get(delivery_id)
        if found is None:
            raise NotFoundError(f"there is no delivery {delivery_id[:64]!r}")
        return found

    def redrive(
        self, wanted: DeliveryFilter, *, rate_per_minute: int, limit: int, dry_run: bool, insist: bool
    ) -> Redriven:
        """Send dead deliveries again, oldest first, under their ids, from now on at a rate.

        Args:
            wanted: Which; its state is not looked at.
            insist: Also those that were redriven MAX_REDRIVES times already.

        Raises:
            InvalidError: The filter says `state` otherwise than dead.
            ConflictError: The channel that it names is disabled.
        """
        if wanted.state not in (None, DeliveryState.DEAD):
            raise InvalidError("only dead deliveries can be sent again; leave out the state")
        if wanted.channel is not None and self._deliveries.is_disabled(wanted.channel):
            # They would be dead again at once, and count as redriven.
            raise ConflictError(f"the channel {wanted.channel!r} is disabled; enable it first")
        chosen, fitting, looped = self._deliveries.dead(wanted, limit, most=MAX_INSISTED if insist else MAX_REDRIVES)
        now = self._now()
        every = timedelta(minutes=1) / rate_per_minute
        due = [(delivery_id, now + place * every) for place, (delivery_id, _) in enumerate(chosen)]
        if not dry_run and due:
            self._deliveries.redrive(due, sorted({channel for _, channel in chosen}), now, self._caller)
            self._auditor.record(
                "delivery.redrive",
                "delivery",
                0,
                pipeline_id=None,
                object_name=wanted.channel or "",
                after={"count": len(due), "first": due[0][0], "last": due[-1][0], "rate_per_minute": rate_per_minute},
            )
        return Redriven(
            delivery_ids=[delivery_id for delivery_id, _ in due],
            looped=looped,
            left=fitting - len(chosen),
            ends_at=due[-1][1] if due else None,
        )

    def overdue(self, *, limit: int) -> list[OverdueDelivery]:
        """Return deliveries that were due more than a minute ago and were not tried, longest due first."""
        return self._deliveries.overdue(self._now() - OVERDUE, limit)


def summary_of(steps: Sequence[WhyStep], under_way: Sequence[str] = (), *, is_waiting: bool) -> str:
    """Return what became of an alert's notifications in one sentence.

    Args:
        under_way: Channels for which a delivery waits or is being sent.
    """
    if not steps:
        return (
            "It waits to be decided; is the worker running (`sentinel worker`)?"
            if is_waiting
            else "Nothing is known: it was raised before notifications were there, or its decisions were deleted."
        )
    parts = []
    sent = sorted({step.channel for step in steps if step.outcome == Outcome.SENT})
    if sent:
        parts.append(f"sent to {', '.join(sent)}")
    last = _last(steps)
    taken_up = next((step for step in steps if step.outcome in (Outcome.ACKNOWLEDGED, Outcome.RESOLVED)), None)
    if taken_up is not None:
        # It is not told any more where it waited.
        waited = [step for step in last if step.outcome in _WAITING and step.channel not in under_way]
        last = [step for step in last if step not in waited]
        if waited:
            names = ", ".join(sorted({step.channel for step in waited}))
            parts.append(f"not told: somebody {taken_up.outcome} it before ({names})")
    last = [step for step in last if step.outcome not in _WAITING or step.channel not in under_way]
    for outcome, said in _SAID.items():
        channels = sorted({step.channel or "nobody" for step in last if step.outcome == outcome})
        if channels:
            parts.append(f"{said} ({', '.join(channels)})" if channels != ["nobody"] else said)
    known = {step.channel for step in last}
    on_their_way = [channel for channel in under_way if channel not in known]
    if on_their_way:
        parts.append(f"on its way to {', '.join(on_their_way)}")
    if not parts:
        parts.append("nothing more is known: what it was told by was deleted")
    return f"{parts[0][0].upper()}{'; '.join(parts)[1:]}."


_WAITING = (Outcome.ROUTED, Outcome.GROUPED, Outcome.DEFERRED, Outcome.REDRIVEN)
_SAID = {
    Outcome.GROUPED: "waits to be told together with others",
    Outcome.DEFERRED: "held back by quiet hours",
    Outcome.DEDUPLICATED: "not told: the same was told shortly before",
    Outcome.SILENCED: "silenced",
    Outcome.INHIBITED: "inhibited",
    Outcome.DISABLED: "not told: the channel is disabled",
    Outcome.UNROUTED: "not told: no route or rule names a channel for it",
    Outcome.UNRESOLVED: "not told: what its rule or route names is no channel",
    Outcome.REFILLED: "not told: a refill of the past made it",
    Outcome.FAILED: "not told: it cannot be decided",
    Outcome.RATE_LIMITED: "waits for the channel's rate",
    Outcome.RETRIED: "failed so far, and is tried again",
    Outcome.DEAD_LETTERED: "failed for good",
}


def _last(steps: Sequence[WhyStep]) -> list[WhyStep]:
    """Return the last step about each channel that says where it stands."""
    last: dict[tuple[str, str], WhyStep] = {}
    for step in steps:
        if step.outcome in _SAID or step.outcome in (Outcome.SENT, Outcome.ROUTED, Outcome.REDRIVEN):
            last[step.channel, step.route if step.delivery_id is None else ""] = step
    told = {step.channel for step in last.values() if step.delivery_id is not None}
    return [step for step in last.values() if step.delivery_id is not None or step.channel not in told]
