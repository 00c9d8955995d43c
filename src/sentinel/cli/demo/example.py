"""The example tenants of the checkout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sentinel.errors import NotFoundError
from sentinel.settings import PROJECT_ROOT


@dataclass(frozen=True, slots=True)
class Example:
    """A pipeline with its rules, and two changes to make while it runs; as the API takes them."""

    pipeline: dict[str, Any]
    rules: list[dict[str, Any]]
    added_rule: dict[str, Any]
    added_field: dict[str, Any]


def load_example(name: str) -> Example:
    """Read `examples/<name>`.

    Raises:
        NotFoundError: The checkout has no such example.
    """
    directory = PROJECT_ROOT / "examples" / name
    try:
        return Example(*(json.loads((directory / f"{part}.json").read_text()) for part in _PARTS))
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no {error.filename}: run this from a checkout of the project") from error


_PARTS = ("pipeline", "rules", "added_rule", "added_field")
