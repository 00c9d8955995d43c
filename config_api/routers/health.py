"""Whether the process is alive, and whether it can serve."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from sentinel.wiring import Backend
from sentinel.wiring_intake import EventIntake

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Check(BaseModel):
    """One store."""

    ok: bool
    cause: str | None = None


class Ready(BaseModel):
    """Whether requests can be served. `degraded`: all but events without Kafka; without Redis, by other means."""

    status: Literal["ok", "degraded", "unavailable"]
    checks: dict[str, Check]


@router.get("/healthz")
def healthz() -> Alive:
    """The process is alive. Asks no store."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Ready}})
def readyz(request: Request, response: Response) -> Ready:
    """PostgreSQL answers, is at the right schema and binds this role to row-level security; Redis and Kafka answer."""
    backend: Backend = request.app.state.backend
    intake: EventIntake = request.app.state.intake
    troubles = {**backend.troubles(), "kafka": intake.log.trouble()}
    checks = {store: Check(ok=cause is None, cause=cause) for store, cause in troubles.items()}
    if not checks["postgresql"].ok:
        response.status_code = 503
        return Ready(status="unavailable", checks=checks)
    return Ready(status="ok" if all(check.ok for check in checks.values()) else "degraded", checks=checks)
