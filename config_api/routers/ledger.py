"""How far pipelines are, what answered for which offsets, and verdicts on events."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from config_api.dependencies import MAX_ID, PipelineId, Reading, next_link
from config_api.schemas.base import Text
from config_api.schemas.ledger import (
    GenerationAnswer,
    JobAnswer,
    PartitionAnswer,
    ProgressAnswer,
    ScoreAnswer,
)
from config_api.schemas.problems import problems
from sentinel.catalog.scores import Verdict
from sentinel.domain.ledger import RecordPlace
from sentinel.errors import ErrorDetail, InvalidError

router = APIRouter(prefix="/api/pipelines/{pipeline_id}", tags=["operation"])

Before = Annotated[int | None, Query(ge=1, le=MAX_ID, description="Continue after this one.")]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.get("/progress", responses=problems(404))
def get_progress(pipeline_id: PipelineId, unit: Reading) -> ProgressAnswer:
    """How far the pipeline is, per partition, and the job that runs it."""
    unit.pipelines.get(pipeline_id)
    partitions = unit.ledger.progress(pipeline_id)
    job = unit.ledger.job(pipeline_id)
    return ProgressAnswer(
        pipeline_id=pipeline_id,
        decided_records=sum(item.next_offset - item.first_offset for item in partitions),
        partitions=[PartitionAnswer(**asdict(item)) for item in partitions],
        job=JobAnswer(**asdict(job)) if job else None,
    )


@router.get("/generations", responses=problems(404))
def list_generations(
    pipeline_id: PipelineId,
    unit: Reading,
    request: Request,
    response: Response,
    limit: Limit = 50,
    before: Before = None,
) -> list[GenerationAnswer]:
    """Which schema version and rule set answered for which offsets, newest first."""
    unit.pipelines.get(pipeline_id)
    found = unit.ledger.generations(pipeline_id, before=before, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [GenerationAnswer.model_validate(asdict(item)) for item in found[:limit]]


@router.get("/scores/{event_id:path}", responses=problems(404))
def get_score(
    pipeline_id: PipelineId,
    event_id: Annotated[Text, Path(max_length=2000, description="An event id, or topic/partition/offset.")],
    unit: Reading,
    partition: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="Of the event's record.")] = None,
    offset: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Of the event's record.")] = None,
) -> ScoreAnswer:
    """What detection says of one event: matched, clean (processed), or not yet seen.

    For an id from a field of the event, clean and not yet seen can only be told apart with the place of its record
    (`partition` and `offset`, which its producer knows), or where the pipeline scores every event.
    """
    if (partition is None) != (offset is None):
        missing = "partition" if partition is None else "offset"
        raise InvalidError("partition and offset belong together", details=[ErrorDetail("", f"{missing} is missing")])
    place = None if partition is None or offset is None else RecordPlace(partition, offset)
    verdict = unit.scores.verdict(pipeline_id, event_id, place)
    processed = verdict.status in (Verdict.MATCHED, Verdict.CLEAN)
    decisions = unit.scorecards.decisions_on(pipeline_id, event_id, processed=processed)
    return ScoreAnswer.model_validate({**asdict(verdict), "decisions": [asdict(each) for each in decisions]})
