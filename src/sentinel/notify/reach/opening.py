"""Channels as they are kept -> channels that send."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sentinel.domain.channel import ChannelKind, ChannelStatus, KnownChannel, SecretRule
from sentinel.domain.notification import Notification, NotificationKind
from sentinel.errors import ChannelUnusableError, InvalidError, NotFoundError, SealedSecretError
from sentinel.notify.channels.base import Receipt
from sentinel.notify.channels.configured import ConfiguredChannel, Means
from sentinel.notify.channels.kinds import CHANNELS, tells
from sentinel.notify.reach.channel_rules import read_options
from sentinel.stores.channels import ChannelReader


@dataclass(frozen=True, slots=True)
class OpenedChannel:
    """A channel that is ready to send. May be kept and used by several threads as long as its version is the row's.

    Secrets that expire meanwhile are not used any more: each attempt looks at the clock.
    """

    id: int
    name: str
    kind: ChannelKind
    version: int
    rate_per_minute: int | None
    channel: ConfiguredChannel[Any]

    def send(self, notification: Notification) -> Receipt:
        """Send it once, as in `Channel.send`."""
        return self.channel.send(notification)

    def tells(self, kind: NotificationKind) -> bool:
        """Tell whether notifications of a kind make sense to its receiver."""
        return tells(self.kind, kind)

    def with_target(self, override: str | None) -> OpenedChannel:
        """Return the same channel with the target that a rule names besides it; None: its own.

        Raises:
            InvalidError: It cannot go there.
        """
        return self if override is None else replace(self, channel=self.channel.with_target(override))


class ChannelOpener:
    """Opens channels of all tenants. One read of the database each; nothing is connected to."""

    def __init__(self, channels: ChannelReader, means: Means) -> None:
        self._channels = channels
        self._means = means

    def open_channel(self, tenant_id: str, channel_id: int, *, even_disabled: bool = False) -> OpenedChannel:
        """Return a tenant's channel, ready to send.

        Raises:
            NotFoundError: There is none.
            ChannelUnusableError: It is disabled, has no secret, or its options are not taken any more.
            SealedSecretError: A secret is encrypted with a key that is not configured. Transient: it may come back.
            StoreUnavailableError: PostgreSQL does not answer.
        """
        known = self._channels.known(tenant_id, channel_id)
        if known is None:
            raise NotFoundError(f"there is no channel {channel_id}")
        if known.status is ChannelStatus.DISABLED and not even_disabled:
            why = f": {known.disabled_reason}" if known.disabled_reason else ""
            raise ChannelUnusableError(f"the channel {known.name!r} is disabled{why}")
        return open_known(known, self._means)

    def open_named(self, tenant_id: str, name: str, *, even_disabled: bool = False) -> OpenedChannel:
        """Return a tenant's channel by its name; raises as `open_channel`."""
        channel_id = self._channels.id_of(tenant_id, name)
        if channel_id is None:
            raise NotFoundError(f"there is no channel {name!r}")
        return self.open_channel(tenant_id, channel_id, even_disabled=even_disabled)


def open_known(known: KnownChannel, means: Means) -> OpenedChannel:
    """Build a channel from what is known of it.

    Raises:
        ChannelUnusableError, SealedSecretError: As of `ChannelOpener.open_channel`.
    """
    kind = CHANNELS[known.kind]
    try:
        options = read_options(kind, known.options)
    except InvalidError as error:
        raise ChannelUnusableError(
            f"the options of the channel {known.name!r} are not taken: {error.message}"
        ) from error
    problem = kind.options_problem(options, means.settings)
    if problem is not None:
        raise ChannelUnusableError(f"the channel {known.name!r}: {problem[1]}")
    if known.has_sealed_secrets:
        raise SealedSecretError(
            f"a secret of the channel {known.name!r} is encrypted with a key that is not among "
            "SENTINEL_WEBHOOKS__ENCRYPTION_KEY; put the key back, or replace the secret (without overlap)"
        )
    if not known.secrets and kind.secret_rule(options) is not SecretRule.NONE:
        raise ChannelUnusableError(f"the channel {known.name!r} has no secret; give it one")
    channel = kind(options, known.secrets, means)
    return OpenedChannel(known.id, known.name, known.kind, known.version, known.rate_per_minute, channel)
