"""Read a directory of YAML into declared things; everything wrong with it is told at once, with file and line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from sentinel.documents import Document, read_file, refuse_all, yaml_files
from sentinel.errors import ErrorDetail, InvalidError
from sentinel.files.kinds import KINDS
from sentinel.files.kinds.base import Declared, Spec

Found = dict[str, dict[tuple[str, ...], Declared]]


def load(source: Path) -> Found:
    """Return what the YAML files at a path declare: kind -> key -> declared.

    Raises:
        InvalidError: There is no file, or something is wrong in one; each line of the message begins with `file:line`.
    """
    files = yaml_files(source)
    if not files:
        raise InvalidError(f"there is no YAML file in {str(source)!r}")
    documents: list[Document] = []
    problems: list[ErrorDetail] = []
    for path in files:
        try:
            documents += read_file(path)
        except InvalidError as error:
            where, _, sentence = error.message.partition(": ")
            problems.append(ErrorDetail(where, sentence))
    found = declared_in(documents, problems)
    refuse_all(problems)
    return found


def declared_in(documents: Iterable[Document], problems: list[ErrorDetail]) -> Found:
    """Return what documents declare; what is wrong is added to the problems."""
    found: Found = {name: {} for name in KINDS}
    for document in documents:
        kind = document.value.get("kind") if isinstance(document.value, dict) else None
        if not isinstance(kind, str) or kind not in KINDS:
            known = ", ".join(KINDS)
            said = "it has no `kind`" if kind is None else f"there is no kind {kind!r:.60}"
            problems.append(ErrorDetail(document.where(("kind",)), f"{said}; kinds are {known}"))
            continue
        spec = _validated(document, KINDS[kind].model, problems)
        if spec is None:
            continue
        declared = Declared(KINDS[kind].key(spec), spec, document)
        first = found[kind].setdefault(declared.key, declared)
        if first is not declared:
            title = " / ".join(declared.key)
            problems.append(ErrorDetail(declared.where, f"{kind} {title!r} is there twice, first at {first.where}"))
    return found


def _validated(document: Document, model: type[Spec], problems: list[ErrorDetail]) -> Spec | None:
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        for item in error.errors():
            problems.append(ErrorDetail(document.where(item["loc"]), _sentence(item["loc"], item)))
        return None


def _sentence(place: tuple[int | str, ...], item: object) -> str:
    details = dict(item) if isinstance(item, dict) else {}
    name = ".".join(str(part) for part in place) or "the document"
    value = details.get("input")
    kind = details.get("type")
    if kind == "extra_forbidden":
        return f"the key {name!r} is not known here"
    if kind == "missing":
        return f"{name!r} is missing"
    if kind == "value_error":
        return str(details.get("msg", "")).removeprefix("Value error, ")
    hint = "; put it into quotes" if kind == "string_type" and value is not None else ""
    shown = f", not {value!r:.80}" if not isinstance(value, dict | list) else ""
    return f"{name}: {details.get('msg')}{shown}{hint}"
