"""The kinds of things that files declare: one module each, and one line here, parents before what belongs to them."""

from __future__ import annotations

from sentinel.files.kinds.base import Kind
from sentinel.files.kinds.lists import ListKind
from sentinel.files.kinds.pipelines import PipelineKind
from sentinel.files.kinds.rules import RuleKind

KINDS: dict[str, Kind] = {kind.name: kind for kind in (ListKind(), PipelineKind(), RuleKind())}
