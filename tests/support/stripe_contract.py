"""What Stripe publishes of `GET /v1/events` (stripe_contract.json), and what does not fit it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator

Part = Literal["parameters", "list", "event", "error"]
CONTRACT: dict[str, Any] = json.loads((Path(__file__).parent / "stripe_contract.json").read_text())


def misfits(part: Part, value: Any) -> list[str]:
    """Return what of a value is not as published, each with its place; empty: nothing."""
    schema = {"$ref": f"#/$defs/{part}", "$defs": CONTRACT["$defs"]}
    found = Draft202012Validator(schema).iter_errors(value)
    return [f"{part}{error.json_path[1:]}: {error.message[:300]}" for error in found]


def request_misfits(parameters: Mapping[str, str], authorization: str) -> list[str]:
    """Return what of a request is not as published: its parameters, and a key as bearer."""
    wrong = misfits("parameters", dict(parameters))
    return wrong if authorization.startswith("Bearer ") else [*wrong, "no key as bearer"]


def answer_misfits(status: int, body: bytes) -> list[str]:
    """Return what of an answer is not as published: a list with 200, else an error."""
    return misfits("list" if status == 200 else "error", json.loads(body))
