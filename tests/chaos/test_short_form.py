"""The short form of the fault campaign: the whole is `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.domain.pipeline import DetectMode
from sentinel.testing.servers import ServerSet
from tests.chaos.__main__ import CASES
from tests.chaos.ground import Case, play

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

SHORT = [(case, mode) for case in CASES for mode in case.short]


@pytest.mark.parametrize(("case", "mode"), SHORT, ids=[f"{case.name}-{mode.value}" for case, mode in SHORT])
def test_nothing_is_lost_or_doubled(
    servers: ServerSet, tenant: str, tmp_path: Path, case: Case, mode: DetectMode
) -> None:
    outcome = play(servers, tenant, tmp_path, case, mode)
    assert outcome.alerts > 0
