"""The installation itself: its processes for everybody, its settings and logs for the operator.

Settings and logs tell of all tenants, so a scope of one tenant is not enough: the operator is who holds a key with the
scope `admin` of the tenant that the installation itself is set to (`SENTINEL_TENANT`), or, where the API is open, who
is on this machine.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from config_api.access import Caller, identify, may
from config_api.dependencies import Looking, Reading
from config_api.schemas.problems import problems
from config_api.schemas.system import JobStateAnswer, LogAnswer, ProcessAnswer, SettingAnswer, SystemAnswer
from sentinel.domain.api_key import Scope
from sentinel.errors import ForbiddenError
from sentinel.wiring_system import System

router = APIRouter(prefix="/api/system", tags=["operation"])
NAME = r"^[a-z0-9][a-z0-9-]{0,60}$"


def _system(request: Request) -> System:
    found: System = request.app.state.system
    return found


def _is_operator(request: Request, caller: Caller) -> bool:
    if caller.tenant_id != request.app.state.settings.tenant:
        return False
    return caller.key is None or caller.key.allows(Scope.ADMIN)


def _operator(request: Request, caller: Annotated[Caller, Depends(identify)]) -> Caller:
    may(Scope.ADMIN, caller)
    if not _is_operator(request, caller):
        raise ForbiddenError(
            "settings and logs tell of all tenants: they are for keys of the tenant that SENTINEL_TENANT names"
        )
    return caller


Operating = Annotated[Caller, Depends(_operator)]


@router.get("", responses=problems())
def get_system(request: Request, unit: Reading, caller: Looking) -> SystemAnswer:
    """How each process is, and the jobs of the tenant's pipelines."""
    is_operator = _is_operator(request, caller)
    processes = [
        ProcessAnswer(
            name=each.name,
            status=each.status,
            checks=each.checks,
            # Of the API everybody may ask them: /readyz.
            causes=dict(each.causes) if is_operator or each.name == "api" else None,
        )
        for each in _system(request).processes()
        # The names of jobs hold ids of other tenants' pipelines.
        if is_operator or not each.name.startswith("job")
    ]
    jobs = [JobStateAnswer.model_validate(asdict(each)) for each in unit.periods.jobs()]
    return SystemAnswer(is_operator=is_operator, processes=processes, jobs=jobs)


@router.get("/settings", responses=problems())
def list_settings(request: Request, _: Operating) -> list[SettingAnswer]:
    """The effective settings of the API without secrets, for the operator."""
    return [SettingAnswer.model_validate(asdict(each)) for each in _system(request).settings()]


@router.get("/logs", responses=problems())
def list_logs(request: Request, _: Operating) -> list[str]:
    """The logs that the local stack keeps, for the operator; none elsewhere."""
    return _system(request).logs()


@router.get("/logs/{name}", responses=problems(404))
def get_log(
    request: Request,
    _: Operating,
    name: Annotated[str, Path(pattern=NAME, max_length=61)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> LogAnswer:
    """The last lines of a log, for the operator."""
    return LogAnswer(name=name, lines=_system(request).log_lines(name, limit))
