"""What every answer is made of."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["active", "paused", "stopped"]
Severity = Literal["critical", "warning", "info"]


class Model(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)
