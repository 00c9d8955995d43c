"""No field of a request takes a text that cannot be stored: a NUL, or half of a surrogate pair, which JSON can name."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

import pytest
from fastapi import Request
from pydantic import TypeAdapter, ValidationError

import config_api.schemas
from config_api.problems import problem
from config_api.schemas.base import Moment, RequestModel
from config_api.schemas.channels import ChannelRequest

# Events are kept as they were written, and what judges or stores these knows about such texts itself.
TAKEN_AS_THEY_ARE = {
    ("CheckRequest", "text"),
    ("DetectorPatchRequest", "parameters"),
    ("DetectorRequest", "parameters"),
    ("ExplainRequest", "event"),
    ("ExplainRequest", "event_text"),
    ("LakeQueryRequest", "sql"),
    ("OneRedriveRequest", "text"),
    ("RuleTestRequest", "event"),
}
SHAPES: list[Callable[[str], Any]] = [
    lambda text: text,
    lambda text: [text],
    lambda text: {"a": text},
    lambda text: {text: "a"},
    lambda text: {"a": [{"b": text}]},
]


def models(of: type[RequestModel] = RequestModel) -> Iterator[type[RequestModel]]:
    for each in of.__subclasses__():
        yield each
        yield from models(each)


for module in pkgutil.iter_modules(config_api.schemas.__path__):
    importlib.import_module(f"config_api.schemas.{module.name}")
FIELDS = sorted(
    {(model.__name__, name, model) for model in models() for name in model.model_fields}, key=lambda x: x[:2]
)


@pytest.mark.parametrize(("name", "field", "model"), FIELDS, ids=[f"{name}.{field}" for name, field, _ in FIELDS])
def test_a_field_refuses_what_cannot_be_stored(name: str, field: str, model: type[RequestModel]) -> None:
    info = model.model_fields[field]
    declared = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    taken = []
    for text in ("\ud800", "a\x00b", "ok \udfff"):
        for shape in SHAPES:
            try:
                TypeAdapter(declared).validate_python(shape(text))
                taken.append(ascii(shape(text)))
            except ValidationError:
                pass
    assert taken == [] or (name, field) in TAKEN_AS_THEY_ARE


def test_an_error_that_names_such_a_text_is_answered_all_the_same() -> None:
    request = Request({"type": "http", "method": "GET", "path": "/x", "headers": [], "server": ("localhost", 80)})
    answer = problem(request, 404, slug="not-found", title="Not found", detail="there is no list \ud800")
    assert json.loads(answer.body)["detail"] == "there is no list ?"


class TestMoments:
    @pytest.mark.parametrize(
        "text",
        [
            "0001-01-01T00:00:00Z",
            "0001-01-01T00:00:00+23:59",
            "1899-12-31T23:59:59Z",
            "9999-12-31T23:59:59-18:00",
            "2026-01-01",
        ],
    )
    def test_a_time_that_cannot_be_calculated_with_is_refused(self, text: str) -> None:
        with pytest.raises(ValidationError):
            TypeAdapter(Moment).validate_python(text)

    @pytest.mark.parametrize("text", ["1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00+23:59"])
    def test_others_become_utc(self, text: str) -> None:
        found = TypeAdapter(Moment).validate_python(text)
        assert (found, found.utcoffset()) == (datetime.fromisoformat(text), timedelta())


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("shape", [lambda number: {"a": number}, lambda number: {"a": [{"b": number}]}])
def test_options_hold_no_number_that_json_does_not_know(number: float, shape: Callable[[float], Any]) -> None:
    info = ChannelRequest.model_fields["options"]
    with pytest.raises(ValidationError):
        TypeAdapter(Annotated[(info.annotation, *info.metadata)]).validate_python(shape(number))
