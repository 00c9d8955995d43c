"""Who the caller is."""

from __future__ import annotations

from fastapi import APIRouter

from config_api.dependencies import Looking
from config_api.schemas.me import CallerAnswer
from config_api.schemas.problems import problems
from sentinel.domain.api_key import Scope

router = APIRouter(prefix="/api/me", tags=["access"])


@router.get("", responses=problems())
def who_am_i(caller: Looking) -> CallerAnswer:
    """The tenant that the caller acts for, and what its key allows; so that a tool offers only what is allowed."""
    allowed = [scope for scope in Scope if caller.key is None or caller.key.allows(scope)]
    return CallerAnswer(
        tenant_id=caller.tenant_id,
        name=caller.name,
        scopes=allowed,
        open=caller.key is None,
        expires_at=None if caller.key is None else caller.key.expires_at,
    )
