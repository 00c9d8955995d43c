"""Operating in the browser: pause and resume, a silence, a query over the lake."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from playwright.sync_api import expect

from sentinel.client.client import Client
from sentinel.settings import Settings
from sentinel.stores.lake.location import events_uri, storage_options
from tests.support.payments import create_payments
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.integration, pytest.mark.browser]


class TestPipeline:
    def test_pause_and_resume(self, visitor: Visitor, api: Client) -> None:
        pipeline = create_payments(api)
        visitor.open(f"/pipelines?pipeline={pipeline}")
        visitor.click("Pause")
        expect(visitor.button("Resume")).to_be_visible()
        assert api.get_pipeline(pipeline).status == "paused"
        visitor.click("Resume")
        expect(visitor.button("Pause")).to_be_visible()
        assert api.get_pipeline(pipeline).status == "active"


class TestSilence:
    def test_it_begins_and_ends(self, visitor: Visitor, api: Client) -> None:
        visitor.open("/notifications?show=silences")
        visitor.unfold("Add a silence")
        visitor.page.get_by_label("Alerts with", exact=True).fill('rule="large"')
        visitor.page.get_by_label("Why", exact=True).fill("maintenance")
        visitor.click("Silence them")
        expect(visitor.page.get_by_text("maintenance")).to_be_visible()
        (silence,) = api.list_silences(expired=False, limit=10)
        assert (silence.matchers, silence.comment) == (['rule="large"'], "maintenance")
        visitor.click("End it")
        expect(visitor.page.get_by_text("No silence")).to_be_visible()
        assert api.list_silences(expired=False, limit=10) == []


class TestLake:
    def test_a_query_its_error_and_its_file(
        self, visitor: Visitor, api: Client, settings: Settings, site_tenant: str
    ) -> None:
        pipeline = create_payments(api)
        rows = pa.table(
            {"id": ["a", "b"], "amount": [10.5, 2.0], "note": ["=1+1", "ok"], "date": [date(2026, 1, 31)] * 2}
        )
        write_deltalake(
            events_uri(settings.lake, site_tenant, pipeline), rows, storage_options=storage_options(settings.lake)
        )
        visitor.open("/lake")
        visitor.write("SQL", f"SELECT id, amuont FROM events_{pipeline}")
        expect(visitor.page.get_by_text("This query cannot run.")).to_be_visible()
        expect(visitor.page.get_by_test_id("stCode").first).to_contain_text("^")
        sql = f"SELECT note, sum(amount) AS total FROM events_{pipeline} GROUP BY note ORDER BY note"
        visitor.write("SQL", sql)
        expect(visitor.page.get_by_text("2 rows in")).to_be_visible()
        expect(visitor.cell("10.5")).to_be_attached()
        assert parse_qs(urlsplit(visitor.page.url).query)["sql"] == [sql]
        with visitor.page.expect_download() as download:
            visitor.button("Download 2 rows as CSV").click()
        assert download.value.path().read_text() == "note,total\n'=1+1,10.5\nok,2.0\n"
        visitor.unfold("Plot")
        expect(visitor.page.get_by_text("The answer by part")).to_be_visible()
