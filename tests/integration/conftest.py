"""The workbenches of detection tests, and what tests of the lake share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.testing.servers import ServerSet
from tests.chaos.s3_between import S3Between
from tests.support.detection import Workbench
from tests.support.lake_desk import Desk, opened_desk


@pytest.fixture
def bench(servers: ServerSet, tenant: str, tmp_path: Path) -> Iterator[Workbench]:
    """A workbench for a tenant of its own."""
    workbench = Workbench(servers, tenant, tmp_path)
    yield workbench
    workbench.close()


@pytest.fixture(scope="module")
def shared_bench(servers: ServerSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """A workbench for the tests of a file that look at pipelines of one driver: its start is most of what they take."""
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    ensure_tenant(servers.settings.postgres, tenant_id, "test")
    workbench = Workbench(servers, tenant_id, tmp_path_factory.mktemp("bench"))
    yield workbench
    workbench.close()


@pytest.fixture
def lake_desk(settings: Settings, database: Database, tenant: str) -> Iterator[Desk]:
    """Care of the lake of a tenant of its own."""
    yield from opened_desk(settings, database, tenant)


@pytest.fixture
def between(settings: Settings) -> Iterator[S3Between]:
    """A server in front of the lake's store, which may answer badly."""
    with S3Between(settings.lake.endpoint) as server:
        yield server
