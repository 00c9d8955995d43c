"""Who is served without a key."""

from __future__ import annotations

import pytest

from config_api.access import is_loopback, refuse_open_to_others
from sentinel.errors import ConfigurationError
from sentinel.settings import ApiSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost", "LOCALHOST", "a.localhost"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)
    refuse_open_to_others(ApiSettings(host=host))


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "127.0.0.1.evil.example"])  # noqa: S104
def test_others(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigurationError, match="without API keys"):
        refuse_open_to_others(ApiSettings(host=host))
    refuse_open_to_others(ApiSettings(host=host, open=False))
