"""Named SQL statements, loaded from the package's `.sql` files.

A file holds statements, each after a line `-- name: <name>` and a comment line that says what it does:

    -- name: list_rules
    -- Rules of a pipeline, oldest first.
    SELECT ... WHERE pipeline_id = %(pipeline_id)s
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import LiteralString, cast

_HEADING = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def load_statements(file: str) -> dict[str, LiteralString]:
    """Return the statements of `sql/<file>.sql` by name.

    The texts are resources of this package, never user input, hence the cast to LiteralString that psycopg asks for.

    Raises:
        ValueError: A name appears twice.
    """
    text = resources.files("sentinel.stores.postgres").joinpath("sql", f"{file}.sql").read_text()
    parts = _HEADING.split(text)[1:]
    statements: dict[str, LiteralString] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in statements:
            raise ValueError(f"statement {name!r} appears twice in {file}.sql")
        statements[name] = cast("LiteralString", body.strip())
    return statements
