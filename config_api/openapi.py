"""The API's description of itself: what FastAPI makes of the endpoints, and what holds for all of them."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from starlette.routing import compile_path

from config_api.problems import MEDIA_TYPE

_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
# Of requests with a body: it is not JSON, or too large.
_WITH_BODY = {"400": "Bad Request", "413": "Content Too Large"}
# Of addresses with a part that is chosen: what is chosen may lead nowhere.
_WITH_PATH = {"404": "Not Found"}


class DescribedApi(FastAPI):
    """An application whose description names every error that an endpoint answers, as the problem that it is."""

    _methods: list[tuple[re.Pattern[str], list[str]]] | None = None

    def openapi(self) -> dict[str, Any]:
        """Return the description; it is made once."""
        if self.openapi_schema is None:
            described = super().openapi()
            for operations in described["paths"].values():
                for operation in operations.values():
                    _complete(operation)
            self.openapi_schema = described
        return self.openapi_schema

    def methods_of(self, path: str) -> list[str]:
        """Return the methods that there are at a path."""
        if self._methods is None:
            self._methods = [
                (compile_path(each)[0], sorted(map(str.upper, of))) for each, of in self.openapi()["paths"].items()
            ]
        return next((methods for pattern, methods in self._methods if pattern.fullmatch(path)), [])


def _complete(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "requestBody" in operation:
        _add(responses, _WITH_BODY)
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        _add(responses, _WITH_PATH)
    for response in responses.values():
        content = response.get("content", {})
        if MEDIA_TYPE in content or "HTTPValidationError" in str(content):
            # A problem has a media type of its own; what is beside it is what FastAPI supposes of every endpoint.
            response["content"] = {MEDIA_TYPE: _PROBLEM}
    operation["responses"] = dict(sorted(responses.items()))


def _add(responses: dict[str, Any], statuses: dict[str, str]) -> None:
    for status, description in statuses.items():
        responses.setdefault(status, {"description": description, "content": {MEDIA_TYPE: _PROBLEM}})
