"""Causes of dead letters."""

from __future__ import annotations

import pytest

from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.settings import PROJECT_ROOT


@pytest.mark.parametrize("cause", list(DeadLetterCause))
def test_every_cause_is_explained_in_the_docs_in_the_same_words(cause: DeadLetterCause) -> None:
    guide = (PROJECT_ROOT / "docs" / "dead-letters.md").read_text()
    assert f"| `{cause}` | {cause.explanation} |" in guide
