"""Signing in, and an API that goes away and comes back, in the browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from sentinel.client.client import Client
from sentinel.domain.api_key import Scope
from sentinel.settings import Settings
from sentinel.wiring import Backend
from tests.support.payments import create_payments
from tests.support.site import Site
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.integration, pytest.mark.browser]


@pytest.fixture
def closed(settings: Settings, site_tenant: str, chromium: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """Somebody at a dashboard whose API asks for keys."""
    with Site(settings, site_tenant, tmp_path, is_closed=True) as running:
        context = chromium.new_context()
        yield Visitor(context.new_page(), running.url)
        context.close()


def key_of(settings: Settings, tenant_id: str, scope: Scope) -> str:
    """Make an API key."""
    backend = Backend(settings)
    backend.open()
    try:
        with backend.unit(tenant_id, "test") as unit:
            return unit.keys.create("ann", [scope])[1]
    finally:
        backend.close()


class TestSignIn:
    def test_with_a_key_that_stays_in_the_session(self, closed: Visitor, settings: Settings, site_tenant: str) -> None:
        key = key_of(settings, site_tenant, Scope.READ)
        page = closed.page
        page.goto(closed.url)
        closed.write("API key", "snt_wrong")
        expect(page.get_by_text("unknown, expired or revoked")).to_be_visible()
        closed.write("API key", key)
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        expect(page.get_by_text("This key only looks")).to_be_visible()
        kept = page.evaluate("JSON.stringify([document.cookie, {...localStorage}, {...sessionStorage}, location.href])")
        assert key not in kept + json.dumps(page.context.cookies()) + page.content()
        closed.click("Sign out")
        expect(page.get_by_label("API key", exact=True)).to_be_visible()
        assert closed.faults == []


class TestOutage:
    def test_the_page_says_so_and_comes_back_by_itself(self, visitor: Visitor, site: Site, api: Client) -> None:
        pipeline = create_payments(api)
        visitor.open(f"/pipelines?pipeline={pipeline}")
        visitor.page.evaluate("window.here = true")
        site.stop("api")
        visitor.button("Pause").click()
        expect(visitor.page.get_by_text("does not answer", exact=False).first).to_be_visible()
        site.start("api")
        expect(visitor.page.get_by_text("does not answer", exact=False)).to_have_count(0)
        expect(visitor.button("Pause")).to_be_visible()
        # It was never loaded anew.
        assert visitor.page.evaluate("window.here") is True
        assert f"pipeline={pipeline}" in visitor.page.url
        visitor.click("Pause")
        expect(visitor.button("Resume")).to_be_visible()
