"""The newest records of a pipeline's topic, as they lie in Kafka."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from config_api.dependencies import Asking, PipelineId
from config_api.schemas.problems import problems
from config_api.schemas.recent_records import RecentRecordAnswer
from sentinel.errors import RateLimitedError
from sentinel.settings import Settings
from sentinel.stores.kafka.topic_tail import newest_records

router = APIRouter(prefix="/api/pipelines/{pipeline_id}", tags=["operation"])
# Each has a connection to the broker, and one of the API's threads for some seconds.
PLACES = threading.BoundedSemaphore(4)
BUSY_SECONDS = 2


def _place() -> Iterator[None]:
    if not PLACES.acquire(timeout=BUSY_SECONDS):
        raise RateLimitedError("too many look at topics at the same time", retry_after_seconds=BUSY_SECONDS)
    try:
        yield
    finally:
        PLACES.release()


@router.get("/recent-records", responses=problems(404, 429), dependencies=[Depends(_place)])
def list_recent_records(
    request: Request,
    pipeline_id: PipelineId,
    asking: Asking,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
) -> list[RecentRecordAnswer]:
    """The newest records of the pipeline's topic, newest first, whether they were processed already or not.

    Nobody's place in the topic changes. 404 where there is no such topic yet, 503 while Kafka does not answer.
    """
    settings: Settings = request.app.state.settings
    with asking.unit() as unit:
        topic = unit.pipelines.get(pipeline_id).kafka_topic
    return [RecentRecordAnswer.of(each) for each in newest_records(settings.kafka, topic, limit)]
