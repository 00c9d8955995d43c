"""The API's description of itself, and that the requests of the bad-input campaign are good before they are spoiled."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import compile_path

from config_api.app import create_app
from config_api.openapi import DescribedApi
from sentinel.settings import Settings
from tests.fuzz.api_world import World, bodies

WORLD: World = {
    **{name: [1, 2, 3] for name in ("pipeline_id", "rule_id", "alert_id", "letter_id", "scorecard_id", "source_id")},
    "source": ["a", "b"],
}


@pytest.fixture(scope="module")
def app() -> DescribedApi:
    return create_app(Settings())


@pytest.fixture(scope="module")
def described(app: DescribedApi) -> dict[str, Any]:
    return app.openapi()


class TestDescription:
    def test_every_error_is_a_problem(self, described: dict[str, Any]) -> None:
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                for status, response in operation["responses"].items():
                    if status >= "400" and not path.endswith("z"):
                        assert list(response["content"]) == ["application/problem+json"], f"{method} {path} {status}"

    def test_what_has_a_body_may_be_malformed_or_too_large(self, described: dict[str, Any]) -> None:
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                if "requestBody" in operation:
                    assert {"400", "413", "422"} <= set(operation["responses"]), f"{method} {path}"

    def test_what_is_not_refused_says_what_it_answers(self, described: dict[str, Any]) -> None:
        for path, operations in described["paths"].items():
            for method, operation in operations.items():
                for status, response in operation["responses"].items():
                    assert "content" in response or status == "204", f"{method} {path} {status}"


class TestMethods:
    @pytest.mark.parametrize(
        ("path", "methods"),
        [
            ("/api/lists/x", ["DELETE", "GET"]),
            ("/api/alerts/facets", ["GET"]),
            ("/api/rules/7", ["GET", "PUT"]),
            ("/nothing", []),
        ],
    )
    def test_all_of_an_address_are_known(self, app: DescribedApi, path: str, methods: list[str]) -> None:
        assert app.methods_of(path) == methods


@pytest.mark.parametrize(("method", "path", "body"), bodies(WORLD))
def test_a_request_is_good_before_it_is_spoiled(described: dict[str, Any], method: str, path: str, body: Any) -> None:
    operation = next(
        operations[method.lower()]
        for template, operations in described["paths"].items()
        if method.lower() in operations and compile_path(template)[0].fullmatch(path)
    )
    schema = operation["requestBody"]["content"]["application/json"].get("schema", {})
    found = [
        error.message
        for error in Draft202012Validator({**schema, "components": described["components"]}).iter_errors(body)
    ]
    assert found == []
