"""Notifications of a tenant of its own."""

from __future__ import annotations

import pytest

from sentinel.stores.postgres.database import Database
from tests.support.notifications import Desk


@pytest.fixture
def desk(database: Database, tenant: str) -> Desk:
    """Notifications of a tenant of its own, on real PostgreSQL."""
    return Desk(database, tenant)
