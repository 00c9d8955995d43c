"""Settings -> what sends through channels. Apart from `wiring`: only processes that notify send."""

from __future__ import annotations

from sentinel.clock import monotonic_seconds, utc_now
from sentinel.notify.channels.configured import Means
from sentinel.notify.reach.addresses import AddressGuard
from sentinel.notify.reach.channel_rules import ChannelRules
from sentinel.notify.reach.guarded_http import GuardedHttp, trusting_context
from sentinel.notify.reach.opening import ChannelOpener
from sentinel.notify.reach.trial import TrialPlaces
from sentinel.settings import Settings
from sentinel.stores.channels import ChannelReader
from sentinel.stores.postgres.channels import PostgresChannelReader
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.secret_box import SecretBox


class Channels:
    """What sends through channels in this process. Connects when first used; thread-safe.

    Raises:
        ConfigurationError: SENTINEL_NOTIFY__CA_FILE cannot be read.
    """

    def __init__(self, settings: Settings, reader: ChannelReader) -> None:
        guard = AddressGuard(settings.notify.networks)
        self._http = GuardedHttp(guard, settings.notify, monotonic_seconds)
        means = Means(self._http, guard, trusting_context(settings.notify), settings.notify, utc_now)
        self.opener = ChannelOpener(reader, means)
        self.trials = TrialPlaces()
        self.rules = ChannelRules(settings.notify, guard)

    def close(self) -> None:
        """Close every connection."""
        self._http.close()


def build_channels(settings: Settings, database: Database) -> Channels:
    """Build what sends through the channels that a database keeps, with the key that seals webhooks' secrets too.

    Raises:
        ConfigurationError: A key, or SENTINEL_NOTIFY__CA_FILE, cannot be used.
    """
    return Channels(settings, PostgresChannelReader(database, SecretBox(settings.webhooks)))
