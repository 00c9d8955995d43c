"""The workbench of detection tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel.testing.servers import ServerSet
from tests.support.detection import Workbench


@pytest.fixture
def bench(servers: ServerSet, tenant: str, tmp_path: Path) -> Iterator[Workbench]:
    """A workbench for a tenant of its own."""
    workbench = Workbench(servers, tenant, tmp_path)
    yield workbench
    workbench.close()
