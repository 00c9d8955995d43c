"""The page of lists: rows page by page, uploads that are looked at before they count, versions held side by side."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.dashboard import list_data
from tests.unit.dashboard.conftest import StubApi, is_clean, labels, open_page, problem, ran, texts, widget


@pytest.fixture
def api(stub: StubApi) -> StubApi:
    return list_data.fill(stub)


def writes(api: StubApi) -> list[tuple[str, str, Any]]:
    return [each for each in api.writes() if not each[1].endswith("/preview")]


def finished(page: AppTest, key: str) -> AppTest:
    """Return the page after what it began beside itself came to its end."""
    if key in page.session_state:
        page.session_state[key].future.exception(timeout=30)
    return ran(page.run())


def table(page: AppTest, column: str) -> Any:
    """Return the table that has this column."""
    return next(each.value for each in page.dataframe if column in each.value)


class TestList:
    def test_with_rows_and_versions(self, api: StubApi) -> None:
        found = open_page("lists").dataframe[0].value
        assert list(found["name"]) == ["users", "closed"]
        assert list(found["rows"]) == [2, 0]

    def test_none_yet_opens_the_form(self, api: StubApi) -> None:
        api.answers["GET /api/lists"] = []
        page = open_page("lists")
        assert "No list yet" in page.info[0].value
        assert "Make the list" in labels(page)

    def test_a_link_to_a_list_that_is_gone(self, api: StubApi) -> None:
        api.answers["GET /api/lists/gone"] = problem(404, "not-found", "there is no list")
        assert "not there" in open_page("lists", list="gone").warning[0].value

    def test_the_api_is_down(self, api: StubApi) -> None:
        api.is_down = True
        assert "does not answer" in open_page("lists").error[0].value

    def test_the_rules_that_read_it_are_linked(self, api: StubApi) -> None:
        assert "Rule 11" in labels(open_page("lists", list="users"))

    @pytest.mark.parametrize("section", ["rows", "upload", "versions", "delete"])
    def test_what_tenants_wrote_is_shown_as_text(self, api: StubApi, section: str) -> None:
        assert is_clean(open_page("lists", list="users", show=section))

    @pytest.mark.parametrize("section", ["rows", "versions"])
    def test_a_key_that_only_looks_is_offered_nothing(self, looking: StubApi, section: str) -> None:
        page = open_page("lists", list="users", show=section) if list_data.fill(looking) else None
        assert page is not None
        assert not {"Make the list", "Write the row", "Delete the row", "See what it changes"} & set(labels(page))
        assert page.button_group[0].options == ["Rows", "Versions"]


class TestRows:
    def test_all_digits_and_hostile_cells_as_text(self, api: StubApi) -> None:
        page = open_page("lists", list="users")
        rows = table(page, "level")
        assert list(rows["user_id"]) == ["u1", "u2"]
        assert rows["level"][0] == str(2**60)
        assert "\\u202e" in rows["note"][0]
        assert is_clean(page)

    def test_pages_are_turned_by_the_api(self, api: StubApi) -> None:
        list_data.fill(api, [list_data.row(f"u{n:03}") for n in range(250)])
        page = open_page("lists", list="users")
        ran(widget(page, "button", "Next").click().run())
        assert page.query_params["after"] == "u099"
        assert table(page, "level")["user_id"][0] == "u100"
        ran(widget(page, "button", "Next").click().run())
        assert len(table(page, "level")) == 50
        assert widget(page, "button", "Next").disabled
        ran(widget(page, "button", "Previous").click().run())
        assert page.query_params["after"] == "u099"
        ran(widget(page, "button", "First").click().run())
        assert "after" not in page.query_params
        assert {each["limit"] for each in api.asked("/api/lists/users/rows")} == {"101"}

    def test_one_key_of_an_earlier_version_by_its_link(self, api: StubApi) -> None:
        page = open_page("lists", list="users", key="u2", version="1")
        assert api.asked("/api/lists/users/rows") == [{"version": "1", "key": "u2", "limit": "101"}]
        assert list(table(page, "level")["user_id"]) == ["u2"]
        assert "Write the row" not in labels(page)

    def test_a_version_that_never_was(self, api: StubApi) -> None:
        api.refused["GET /api/lists/users/rows"] = problem(404, "not-found", "users has no version 99")
        assert "no version 99" in open_page("lists", list="users", version="99").warning[0].value

    @pytest.mark.parametrize("version", ["0", "x", str(2**31), str(2**60)])
    def test_a_version_that_is_none_is_left_out(self, api: StubApi, version: str) -> None:
        page = open_page("lists", list="users", version=version)
        assert "means nothing" in page.warning[0].value
        assert api.asked("/api/lists/users/rows") == [{"limit": "101"}]

    def test_no_row_has_the_key(self, api: StubApi) -> None:
        assert "No row" in open_page("lists", list="users", key="nobody").info[0].value

    def test_an_empty_list(self, api: StubApi) -> None:
        assert "no rows" in open_page("lists", list="users").info[0].value if list_data.fill(api, []) else False

    def test_a_row_is_written_as_it_was_seen(self, api: StubApi) -> None:
        api.answers["POST /api/lists/users/rows"] = list_data.CHANGED
        page = open_page("lists", list="users")
        widget(page, "text_input", "user_id (string, the key)").set_value("u9")
        widget(page, "text_input", "level (integer)").set_value("5")
        ran(widget(page, "button", "Write the row").click().run())
        ((_, _, body),) = writes(api)
        assert body == {"upsert": [{"user_id": "u9", "level": "5"}], "delete": [], "comment": ""}
        assert [each.if_match for each in api.requests if each.method == "POST"] == ['"3"']
        assert widget(page, "text_input", "user_id (string, the key)").value == ""

    def test_a_row_is_deleted_and_a_refusal_is_told(self, api: StubApi) -> None:
        api.refused["POST /api/lists/users/rows"] = problem(404, "not-found", "users has no row of key 'u9'")
        page = open_page("lists", list="users")
        widget(page, "text_input", "Key of a row to delete").set_value("u9")
        ran(widget(page, "button", "Delete the row").click().run())
        assert writes(api)[0][2]["delete"] == ["u9"]
        assert "no row of key" in texts(page)


class TestUpload:
    CSV = b"user_id,level\nu1,9\nu3,3\n"

    def checked(self, content: bytes = CSV) -> AppTest:
        page = open_page("lists", list="users", show="upload")
        page.file_uploader[0].set_value(("users.csv", content, "text/csv"))
        ran(page.run())
        ran(widget(page, "button", "See what it changes").click().run())
        return finished(page, "list-preview-users")

    def test_what_it_changes_is_shown_before_it_counts(self, api: StubApi) -> None:
        page = self.checked()
        assert [each.value for each in page.metric] == ["1", "1", "1"]
        changes = table(page, "what")
        assert list(changes["what"]) == ["changed", "removed", "added"]
        assert (changes["before"][0], changes["after"][0]) == ("level: 1", "level: 9")
        assert "4 rows are left out" in " ".join(each.value for each in page.caption)
        assert writes(api) == []
        assert is_clean(page)

    def test_put_in_force_against_the_version_that_was_compared(self, api: StubApi) -> None:
        sent: list[httpx.Request] = []

        def take(request: httpx.Request) -> dict[str, Any]:
            sent.append(request)
            return list_data.CHANGED

        api.answers["PUT /api/lists/users/rows"] = take
        page = self.checked()
        widget(page, "text_input", "Why, for the record").set_value("March")
        ran(widget(page, "button", "Put it in force").click().run())
        finished(page, "list-write-users")
        assert [each.content for each in sent] == [self.CSV]
        assert sent[0].headers["If-Match"] == '"3"'
        assert sent[0].url.params["comment"] == "March"
        assert page.session_state["list-section-users"] == "rows"

    def test_mistakes_are_told_by_line(self, api: StubApi) -> None:
        errors = [
            {"pointer": "/line/3/level", "detail": "line 3, column level: 'x' is not a whole number"},
            {"pointer": "/line/7", "detail": "line 7: 2 cells"},
        ]
        api.refused["POST /api/lists/users/rows/preview"] = problem(422, "invalid", "nothing was changed", errors)
        page = self.checked()
        assert list(table(page, "place")["place"]) == ["line 3, level", "line 7"]
        assert "Put it in force" not in labels(page)

    def test_the_same_rows_are_nothing_to_put_in_force(self, api: StubApi) -> None:
        none = {"added_count": 0, "changed_count": 0, "removed_count": 0, "changes": []}
        api.answers["POST /api/lists/users/rows/preview"] = {**list_data.PREVIEW, **none}
        page = self.checked()
        assert "nothing to change" in page.info[0].value
        assert "Put it in force" not in labels(page)

    def test_another_file_is_another_comparison(self, api: StubApi) -> None:
        page = self.checked()
        page.file_uploader[0].set_value(("users.csv", b"user_id\nu5\n", "text/csv"))
        ran(page.run())
        assert "Put it in force" not in labels(page)

    def test_somebody_changed_it_first(self, api: StubApi) -> None:
        api.refused["PUT /api/lists/users/rows"] = problem(412, "version-mismatch", "the list is at version 4, not 3")
        page = self.checked()
        ran(widget(page, "button", "Put it in force").click().run())
        finished(page, "list-write-users")
        assert "Somebody else changed this first" in page.error[0].value
        assert "Put it in force" not in labels(page)

    def test_rows_may_be_pasted(self, api: StubApi) -> None:
        page = open_page("lists", list="users", show="upload")
        ran(widget(page, "text_area", "Or the rows themselves").set_value("user_id\nu1").run())
        ran(widget(page, "button", "See what it changes").click().run())
        assert "Put it in force" in labels(finished(page, "list-preview-users"))


class TestVersions:
    def test_two_of_them_side_by_side(self, api: StubApi) -> None:
        page = open_page("lists", list="users", show="versions")
        assert api.asked("/api/lists/users/diff") == [{"from": "2", "to": "3", "limit": "101"}]
        assert list(table(page, "cause")["version"]) == [3, 2, 1]
        assert list(table(page, "what")["what"]) == ["changed", "removed", "added"]

    def test_the_wrong_way_round_is_not_asked_for(self, api: StubApi) -> None:
        page = open_page("lists", list="users", show="versions")
        ran(page.number_input[0].set_value(3).run())
        assert "Choose an earlier version" in " ".join(each.value for each in page.caption)

    def test_only_one(self, api: StubApi) -> None:
        api.answers["GET /api/lists/users"] = {**list_data.reference_list(version=1), "read_by": []}
        page = open_page("lists", list="users", show="versions")
        assert "only this one" in " ".join(each.value for each in page.caption)


class TestDelete:
    def test_only_when_one_is_sure(self, api: StubApi) -> None:
        api.answers["DELETE /api/lists/users"] = None
        page = open_page("lists", list="users", show="delete")
        assert widget(page, "button", "Delete the list").disabled
        ran(page.checkbox[0].check().run())
        ran(widget(page, "button", "Delete the list").click().run())
        assert writes(api) == [("DELETE", "/api/lists/users", None)]
        assert "list" not in page.query_params

    def test_a_list_that_a_rule_read_stays(self, api: StubApi) -> None:
        api.refused["DELETE /api/lists/users"] = problem(409, "conflict", "rules read users")
        page = open_page("lists", list="users", show="delete")
        ran(page.checkbox[0].check().run())
        ran(widget(page, "button", "Delete the list").click().run())
        assert "rules read users" in texts(page)
        assert page.query_params["list"] == "users"


class TestCreate:
    def test_by_the_heading_of_a_file(self, api: StubApi) -> None:
        api.answers["POST /api/lists"] = {**list_data.CHANGED, "name": "users"}
        page = open_page("lists")
        widget(page, "text_input", "Name").set_value("users")
        ran(widget(page, "text_input", "Columns by the heading of a CSV file").set_value("user_id, level").run())
        ran(widget(page, "button", "Make the list").click().run())
        ((_, path, body),) = writes(api)
        assert path == "/api/lists"
        assert (body["name"], body["key"]) == ("users", "user_id")
        assert body["columns"] == [{"name": "user_id", "type": "string"}, {"name": "level", "type": "string"}]
        assert page.query_params["list"] == "users"
        assert page.query_params["show"] == "upload"

    def test_what_is_wrong_is_told_at_once(self, api: StubApi) -> None:
        errors = [{"pointer": "/name", "detail": "'Users!' is not a name of a list"}]
        api.refused["POST /api/lists"] = problem(422, "invalid", "two things", errors)
        page = open_page("lists")
        ran(widget(page, "text_input", "Name").set_value("Users!").run())
        ran(widget(page, "button", "Make the list").click().run())
        assert "is not a name of a list" in texts(page)
