"""Open pages without a browser: what the measurement of many tabs stands on."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel.domain.api_key import Scope
from sentinel.settings import Settings
from sentinel.stores.postgres.migrate import ensure_tenant
from sentinel.wiring import Backend
from tests.support.payments import create_payments
from tests.support.site import Site
from tests.support.tab import Seen
from tests.support.tabs import Tabs

pytestmark = pytest.mark.integration

SECONDS = 60


@pytest.fixture(scope="module")
def site_tenant(settings: Settings) -> str:
    """A tenant of its own for the file."""
    tenant_id = f"t{uuid.uuid4().hex[:12]}"
    ensure_tenant(settings.postgres, tenant_id, "test")
    return tenant_id


@pytest.fixture(scope="module")
def site(settings: Settings, site_tenant: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The dashboard and an API that is open to this machine, with a pipeline."""
    with Site(settings, site_tenant, tmp_path_factory.mktemp("site")) as running:
        with running.client() as api:
            create_payments(api)
        yield running


def wait_until(tabs: Tabs, fits: Callable[[Seen], bool]) -> list[Seen]:
    """Wait until what every tab got fits."""
    deadline = time.monotonic() + SECONDS
    while True:
        seen = tabs.seen()
        if all(fits(each) for each in seen):
            return seen
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)


class TestTabs:
    def test_each_is_drawn_and_refreshes_by_itself(self, site: Site) -> None:
        with Tabs(site.url, 3) as tabs:
            seen = wait_until(tabs, lambda each: each.metrics["Events/s now"] >= 3)
        assert [each.faults for each in seen] == [{}] * 3
        assert [each.pages for each in seen] == [1] * 3

    def test_an_address_is_opened(self, site: Site) -> None:
        with Tabs(site.url, 1, query="hours=6") as tabs:
            (seen,) = wait_until(tabs, lambda each: each.fragments > 0)
        assert seen.metrics["Alerts in 6 h"] > 0

    def test_one_that_is_dead_is_not_taken_for_a_cheap_one(
        self, settings: Settings, site_tenant: str, tmp_path: Path
    ) -> None:
        with Site(settings, site_tenant, tmp_path) as running, Tabs(running.url, 1) as tabs:
            wait_until(tabs, lambda each: each.fragments > 0)
            running.stop("dashboard")
            (seen,) = wait_until(tabs, lambda each: each.faults.total() > 0)
        assert any("connection" in fault for fault in seen.faults)

    def test_errors_that_are_drawn_are_counted(self, settings: Settings, site_tenant: str, tmp_path: Path) -> None:
        with Site(settings, site_tenant, tmp_path) as running, Tabs(running.url, 1) as tabs:
            wait_until(tabs, lambda each: each.fragments > 0)
            running.stop("api")
            (seen,) = wait_until(tabs, lambda each: each.faults.total() > 0)
        assert any("does not answer" in fault for fault in seen.faults)

    def test_where_the_api_is_closed_they_sign_in(self, settings: Settings, site_tenant: str, tmp_path: Path) -> None:
        backend = Backend(settings)
        backend.open()
        try:
            with backend.unit(site_tenant, "test") as unit:
                key = unit.keys.create("ann", [Scope.READ])[1]
        finally:
            backend.close()
        with (
            Site(settings, site_tenant, tmp_path, is_closed=True) as running,
            running.client(key) as api,
            Tabs(running.url, 2, api_key=key) as tabs,
        ):
            assert api.list_pipelines()
            seen = wait_until(tabs, lambda each: each.metrics["Events/s now"] >= 2)
        assert [each.faults for each in seen] == [{}] * 2
