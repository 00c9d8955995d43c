"""How a query names tables."""

from __future__ import annotations

import pytest

from sentinel.errors import NotFoundError
from sentinel.stores.lake.names import table_names


class TestTableNames:
    def test_by_id_and_by_name(self) -> None:
        assert table_names([(1, "Cards"), (2, "card payments")], None) == {"events_1": 1, "events_2": 2, "cards": 1}

    def test_a_name_that_reads_like_another_table_is_not_used(self) -> None:
        assert table_names([(1, "events_2"), (2, "Events")], None) == {"events_1": 1, "events_2": 2}

    def test_a_name_shared_without_regard_to_case_names_neither(self) -> None:
        assert table_names([(1, "cards"), (2, "Cards")], None) == {"events_1": 1, "events_2": 2}

    def test_the_chosen_one_is_called_events(self) -> None:
        assert table_names([(1, "a"), (2, "b")], 2)["events"] == 2

    def test_another_tenants_pipeline_cannot_be_chosen(self) -> None:
        with pytest.raises(NotFoundError, match="no pipeline 9"):
            table_names([(1, "a")], 9)
