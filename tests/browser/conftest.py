"""One stack for each file: servers, API, dashboard, and a browser."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from sentinel.client.client import Client
from sentinel.settings import Settings
from sentinel.stores.postgres.migrate import ensure_tenant
from tests.support.site import Site
from tests.support.visitor import VARIABLE, Visitor, browser, find_chromium

REQUIRED = "SENTINEL_TEST_BROWSER_REQUIRED"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A running Chromium; without one the tests are skipped, or fail where they are required."""
    if find_chromium() is None:
        reason = f"there is no Chromium on the path: `make chromium`, or name one with {VARIABLE}"
        if os.environ.get(REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    # For each file: while it runs, nothing else in this process can have an event loop.
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def site_tenant(settings: Settings) -> str:
    """A tenant of its own for the file."""
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    ensure_tenant(settings.postgres, tenant_id, "test")
    return tenant_id


@pytest.fixture(scope="module")
def site(
    settings: Settings, site_tenant: str, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The dashboard and an API that is open to this machine."""
    with Site(settings, site_tenant, tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def api(site: Site) -> Iterator[Client]:
    """A client of the API, for what a test arranges and looks up."""
    with site.client() as opened:
        yield opened


@pytest.fixture
def visitor(chromium: Browser, site: Site, tmp_path: Path) -> Iterator[Visitor]:
    """Somebody at the dashboard. Whatever a test does, the page's own scripts must not fail, and ask nobody else."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    came = Visitor(context.new_page(), site.url)
    yield came
    context.close()
    assert came.faults == []
    assert came.asked <= {site.url.removeprefix("http://")}
