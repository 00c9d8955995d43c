"""Write what the API has as files that declare just that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from sentinel.client import Client
from sentinel.errors import ConflictError, InvalidError, NotFoundError
from sentinel.files.kinds import KINDS
from sentinel.files.kinds.base import Written
from sentinel.files.remote import Remote

_ODD_BREAK = re.compile("[\r\x85\u2028\u2029\ufeff]")


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, lists of plain mappings in one line each, no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # What YAML takes for a line break would be read back as another one, unless it is escaped.
    style = '"' if _ODD_BREAK.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _mapping(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.MappingNode:
    is_field = set(value) <= {"name", "type", "nullable", "role"} and "type" in value
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=is_field)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(dict, _mapping)


def documents(client: Client, pipelines: Sequence[str] = ()) -> list[Written]:
    """Return a document for each thing of these pipelines (none: of all), in the order of their kinds.

    Raises:
        NotFoundError: There is no pipeline of a name.
    """
    remote = Remote(client)
    for name in pipelines:
        if name not in remote.pipelines:
            known = ", ".join(remote.pipelines) or "none"
            raise NotFoundError(f"there is no pipeline {name!r}; there are: {known}")
    wanted = list(dict.fromkeys(pipelines)) or list(remote.pipelines)
    slugs = dict(zip(wanted, slugs_of(wanted), strict=True))
    return [written for kind in KINDS.values() for written in kind.written(remote, slugs, wanted)]


def slugs_of(names: Sequence[str]) -> Iterator[str]:
    """Yield a directory name for each name, different without case."""
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "pipeline"
        slug, number = plain, 1
        while slug in taken:
            number += 1
            slug = f"{plain}-{number}"
        taken.add(slug)
        yield slug


def text_of(written: Written) -> str:
    """Return a document as YAML."""
    return str(yaml.dump(written.value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


def write(items: Sequence[Written], directory: Path, *, overwrite: bool) -> int:
    """Write documents below a directory and return how many files that were.

    Raises:
        ConflictError: One of the files is there and has another content, and overwriting was not asked for. Nothing is
            written then.
        InvalidError: A name would lead out of the directory.
    """
    for item in items:
        if not (directory / item.path).resolve().is_relative_to(directory.resolve()):
            raise InvalidError(f"{item.path!r} leads out of {directory}")
    texts = {directory / item.path: text_of(item) for item in items}
    changed = {path: text for path, text in texts.items() if not _has(path, text)}
    there = [path for path in changed if path.exists()]
    if there and not overwrite:
        raise ConflictError(f"{there[0]} is there already with another content; give --overwrite to replace it")
    for path, text in changed.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return len(changed)


def _has(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False
