"""A short run of the requests that nobody meant to send; `make fuzz` runs it for long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sentinel.domain.api_key import Scope
from sentinel.testing.servers import ServerSet
from tests.fuzz.api import Campaign

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

EXAMPLES = 1


@pytest.fixture(scope="module")
def campaign(servers: ServerSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    """A tenant with one of everything, and the API."""
    with Campaign(servers, tmp_path_factory.mktemp("fuzz"), with_engine=False) as running:
        yield running


def test_no_hostile_request_breaks_anything(campaign: Campaign) -> None:
    outcome = campaign.spoil(seed=5, share=0.1)
    assert outcome.findings == [], outcome.summary()
    assert outcome.requests > 1_000
    # They are not all refused at the door: some are good as they are.
    assert outcome.statuses[200] > 50
    assert outcome.statuses[422] > 200


@pytest.mark.parametrize("scope", [Scope.ADMIN, Scope.READ])
def test_every_answer_is_as_the_description_says(campaign: Campaign, scope: Scope) -> None:
    outcome = campaign.run(scope, seed=5, examples=EXAMPLES)
    assert outcome.is_clean, outcome.summary()
    assert outcome.operations > 130
    assert outcome.requests > 2_000
