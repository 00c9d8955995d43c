"""Targets as rules name them, `notify("slack:#ops")`, -> a channel of the tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from sentinel.domain.channel import CHANNEL_NAME, ChannelKind, ChannelStatus
from sentinel.notify.channels.email import EmailOptions, is_address, may_receive, why_not_recipient
from sentinel.notify.channels.slack import SLACK_CHANNEL, SlackOptions, same_slack_channel


class Meant(Protocol):
    """A channel, as far as targets look at it."""

    @property
    def id(self) -> int:
        """Of the channel."""

    @property
    def name(self) -> str:
        """Of the channel."""

    @property
    def kind(self) -> ChannelKind:
        """Of the channel."""

    @property
    def status(self) -> ChannelStatus:
        """Of the channel."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Public options, in their stored form."""


_Channel = TypeVar("_Channel", bound=Meant)


@dataclass(frozen=True, slots=True)
class Resolved(Generic[_Channel]):
    """The channel that a target means.

    Attributes:
        override: What of `OpenedChannel.with_target`; None: the channel's own target.
    """

    channel: _Channel
    override: str | None = None


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a target means no channel: a sentence with the way out."""

    reason: str


def resolve_target(text: str, channels: Sequence[_Channel]) -> Resolved[_Channel] | Unresolved:
    """Return the channel that a target means. Disabled ones count only where no active one is meant.

    `kind:name` is the channel of that kind and name. `slack:#x` is a bot that posts to #x: the tenant's only one, else
    the one named `slack`; or an incoming webhook that is set up for #x. `email:a@b` is the channel of kind email whose
    recipient a@b is or may be: the only one, else the one named `email`.

    Args:
        channels: All channels of the tenant.
    """
    prefix, _, target = text.partition(":")
    try:
        kind = ChannelKind(prefix.strip().lower())
    except ValueError:
        known = ", ".join(ChannelKind)
        return Unresolved(f"{text[:100]!r} names no kind of channel before a colon; kinds are {known}")
    target = target.strip()
    of_kind = [channel for channel in channels if channel.kind is kind]
    if CHANNEL_NAME.fullmatch(target):
        named = next((channel for channel in of_kind if channel.name == target), None)
        return Resolved(named) if named else Unresolved(_no_such(kind, target, channels))
    if kind is ChannelKind.SLACK:
        return _slack(target, of_kind)
    if kind is ChannelKind.EMAIL:
        return _email(target, of_kind)
    return Unresolved(f"{target[:100]!r} is not the name of a channel: lower-case letters, digits and hyphens")


def _slack(target: str, channels: Sequence[_Channel]) -> Resolved[_Channel] | Unresolved:
    if not SLACK_CHANNEL.fullmatch(target):
        return Unresolved(f"{target[:100]!r} is neither the name of a channel nor a Slack channel, as #ops")
    options = {channel.id: SlackOptions.model_construct(**channel.options) for channel in channels}
    there = [channel for channel in channels if same_slack_channel(target, options[channel.id].channel)]
    if there:
        return Resolved(_preferred(there, ChannelKind.SLACK) or _active(there)[0])
    bots = [channel for channel in channels if options[channel.id].mode == "bot"]
    if not bots:
        hooks = "an incoming webhook posts to one Slack channel only; " if channels else ""
        return Unresolved(f"no channel of kind slack posts to {target}: {hooks}add one of mode bot, which posts to any")
    chosen = _preferred(bots, ChannelKind.SLACK)
    return Resolved(chosen, target) if chosen else Unresolved(_several(bots, ChannelKind.SLACK))


def _email(target: str, channels: Sequence[_Channel]) -> Resolved[_Channel] | Unresolved:
    if not is_address(target):
        return Unresolved(
            f"{target[:100]!r} is neither the name of a channel nor an address of mail, as ops@example.com"
        )
    if not channels:
        return Unresolved("there is no channel of kind email; add one")
    chosen = _preferred(channels, ChannelKind.EMAIL)
    if chosen is None:
        return Unresolved(_several(channels, ChannelKind.EMAIL))
    if not may_receive(target, EmailOptions.model_construct(**chosen.options)):
        return Unresolved(f"the channel {chosen.name!r}: {why_not_recipient(target)}")
    return Resolved(chosen, target)


def _preferred(channels: Sequence[_Channel], kind: ChannelKind) -> _Channel | None:
    """Return the only channel, else the one that is named after its kind; None: neither."""
    active = _active(channels)
    if len(active) == 1:
        return active[0]
    return next((channel for channel in active if channel.name == kind.value), None)


def _active(channels: Sequence[_Channel]) -> list[_Channel]:
    return [channel for channel in channels if channel.status is ChannelStatus.ACTIVE] or list(channels)


def _several(channels: Sequence[Meant], kind: ChannelKind) -> str:
    names = ", ".join(channel.name for channel in channels)
    return f"several channels of kind {kind.value} could be meant ({names}); name one of them {kind.value!r}"


def _no_such(kind: ChannelKind, name: str, channels: Sequence[Meant]) -> str:
    other = next((channel for channel in channels if channel.name == name), None)
    if other is not None:
        return f"the channel {name!r} is of kind {other.kind.value}, not {kind.value}; write {other.kind.value}:{name}"
    hint = "; a channel of Slack's is written with #" if kind is ChannelKind.SLACK else ""
    return f"there is no channel {name!r} of kind {kind.value}; add it, or name another{hint}"
