"""Detectors: what is checked on a schedule, how far it is, and runs at once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from config_api.dependencies import (
    MAX_ID,
    Answer,
    ExpectedVersion,
    OnlyOnce,
    Reading,
    Working,
    Writing,
    etag,
    next_link,
)
from config_api.schemas.base import Text
from config_api.schemas.detectors import (
    DetectorAnswer,
    DetectorKindAnswer,
    DetectorPatchRequest,
    DetectorRequest,
    RunAnswer,
    RunRequest,
)
from config_api.schemas.problems import problems
from sentinel.wiring_detectors import RequestedRuns

router = APIRouter(tags=["detectors"])

DetectorName = Annotated[
    Text, Path(min_length=1, max_length=200, description="The detector.", examples=["amount_spike"])
]


@router.get("/api/detector-kinds", responses=problems())
def list_kinds(unit: Reading) -> list[DetectorKindAnswer]:
    """The kinds of detectors with the defaults of their parameters."""
    return [DetectorKindAnswer.of(kind) for kind in unit.detectors.kinds.values()]


@router.post("/api/detectors", status_code=201, response_model=DetectorAnswer, responses=problems(409))
def create_detector(body: DetectorRequest, unit: Writing, once: OnlyOnce) -> Response:
    """Set up a detector. The built-in ones are there without that."""

    def work() -> Answer:
        found = unit.detectors.create(
            name=body.name,
            kind=body.kind,
            description=body.description,
            mode=body.mode,
            parameters=body.parameters,
            schedule=body.schedule.schedule(),
        )
        location = {"Location": f"/api/detectors/{found.definition.name}"}
        return Answer(DetectorAnswer.of(found), found.definition.version, location)

    return once.run(work, status=201)


@router.get("/api/detectors", responses=problems())
def list_detectors(unit: Reading) -> list[DetectorAnswer]:
    """All detectors by name, each with its last run."""
    return [DetectorAnswer.of(found) for found in unit.detectors.list()]


@router.get("/api/detectors/{name}", responses=problems(404))
def get_detector(name: DetectorName, unit: Reading, response: Response) -> DetectorAnswer:
    """One detector."""
    found = unit.detectors.get(name)
    response.headers["ETag"] = etag(found.definition.version)
    return DetectorAnswer.of(found)


@router.patch("/api/detectors/{name}", response_model=DetectorAnswer, responses=problems(404, 409, 412))
def change_detector(
    name: DetectorName, body: DetectorPatchRequest, unit: Writing, once: OnlyOnce, expected: ExpectedVersion
) -> Response:
    """Switch a detector on or off, change parameters or schedule. Counts from its next run on."""

    def work() -> Answer:
        found = unit.detectors.change(
            name,
            description=body.description,
            mode=body.mode,
            parameters=body.parameters,
            schedule=None if body.schedule is None else body.schedule.schedule(),
            expected_version=expected,
        )
        return Answer(DetectorAnswer.of(found), found.definition.version)

    return once.run(work)


@router.delete("/api/detectors/{name}", status_code=204, responses=problems(404, 409, 412))
def delete_detector(name: DetectorName, unit: Writing, expected: ExpectedVersion) -> None:
    """Delete a detector that is not built in. The alerts it raised stay, under its name."""
    unit.detectors.delete(name, expected_version=expected)


@router.post("/api/detectors/{name}/run", responses=problems(404, 409, 429))
def run_detector(name: DetectorName, worker: Working, request: Request, body: RunRequest | None = None) -> RunAnswer:
    """Run a detector now, whether or not it is on, and answer what came of it.

    Windows that were evaluated before give the same alerts, so repeating it is harmless. A run that fails is answered,
    too: `state` says so, and `error` why.
    """
    runs: RequestedRuns = request.app.state.detector_runs
    with worker.unit() as unit:
        definition = unit.detectors.to_run(name)
    found = runs.run(worker.tenant_id, definition, None if body is None else body.at, requested_by=worker.name)
    return RunAnswer.of(found)


@router.get("/api/detectors/{name}/runs", responses=problems(404))
def list_runs(
    name: DetectorName,
    unit: Reading,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Continue after this one.")] = None,
) -> list[RunAnswer]:
    """Runs of a detector in the last 30 days, newest first."""
    found = unit.detectors.runs(name, before=before, limit=limit + 1)
    if len(found) > limit:
        response.headers.update(next_link(request, before=found[limit - 1].id))
    return [RunAnswer.of(run) for run in found[:limit]]
