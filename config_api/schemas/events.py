"""What is answered to events, and the routes by which they find their pipeline."""

from __future__ import annotations

from pydantic import Field

from config_api.schemas.base import AnswerModel, RequestModel
from sentinel.catalog.intake import ItemOutcome, ItemStatus, Taken


class ItemProblem(AnswerModel):
    """Something about an event."""

    pointer: str = Field(description="Where in the event (RFC 6901); empty: the whole of it.", examples=["/amount"])
    detail: str


class ItemAnswer(AnswerModel):
    """What became of one event."""

    index: int = Field(description="Its place in the request, from 0.")
    status: ItemStatus
    event_id: str | None = Field(description="The value of the schema's id field, where there is one.")
    pipeline_id: int | None
    errors: list[ItemProblem] = Field(description="Why it was rejected; or what else is to be said of it.")


class EventsAnswer(AnswerModel):
    """What became of a request's events. Those accepted are held by the broker, or by the spool."""

    accepted: int
    duplicate: int
    rejected: int
    deduplicated: bool = Field(description="False while Redis is away: repetitions were accepted as well.")
    spooled: bool = Field(description="The broker is away; the events are on disk and follow.")
    items: list[ItemAnswer] = Field(description="One per event, in their order.")

    @classmethod
    def of(cls, taken: Taken) -> EventsAnswer:
        """Build the answer."""
        return cls(
            accepted=taken.count(ItemStatus.ACCEPTED),
            duplicate=taken.count(ItemStatus.DUPLICATE),
            rejected=taken.count(ItemStatus.REJECTED),
            deduplicated=taken.deduplicated,
            spooled=taken.spooled,
            items=[_item(index, outcome) for index, outcome in enumerate(taken.outcomes)],
        )


def _item(index: int, outcome: ItemOutcome) -> ItemAnswer:
    return ItemAnswer(
        index=index,
        status=outcome.status,
        event_id=outcome.event_id,
        pipeline_id=outcome.pipeline_id,
        errors=[ItemProblem(pointer=problem.pointer, detail=problem.detail) for problem in outcome.problems],
    )


class RouteRequest(RequestModel):
    """Where events of a type go."""

    pipeline_id: int = Field(ge=1, le=2**63 - 1)


class RouteAnswer(AnswerModel):
    """A route."""

    event_type: str = Field(description="With `*` at its end: all types that begin so.", examples=["order.*"])
    pipeline_id: int
