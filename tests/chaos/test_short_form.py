"""The short form of the fault campaign: the whole is `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.domain.pipeline import DetectMode
from sentinel.testing.servers import ServerSet
from tests.chaos.ground import Case, play
from tests.chaos.short import SHORT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("case", "mode"), [(case, mode) for case in SHORT for mode in case.modes], ids=[case.name for case in SHORT]
)
def test_nothing_is_lost_or_doubled(
    servers: ServerSet, tenant: str, tmp_path: Path, case: Case, mode: DetectMode
) -> None:
    outcome = play(servers, tenant, tmp_path, case, mode)
    assert outcome.alerts > 0
    assert outcome.deaths >= (2 if mode is DetectMode.REALTIME else 3)
