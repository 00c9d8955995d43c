"""The kinds of channels there are."""

from __future__ import annotations

from typing import Any

from sentinel.domain.channel import ChannelKind
from sentinel.domain.notification import NotificationKind
from sentinel.notify.channels.apprise import AppriseChannel
from sentinel.notify.channels.configured import ConfiguredChannel
from sentinel.notify.channels.email import EmailChannel
from sentinel.notify.channels.pagerduty import PagerDutyChannel
from sentinel.notify.channels.slack import SlackChannel
from sentinel.notify.channels.teams import TeamsChannel
from sentinel.notify.channels.webhook import WebhookChannel

# To add a kind, write its file, its value in `ChannelKind` (and in the table's CHECK), and its line here.
CHANNELS: dict[ChannelKind, type[ConfiguredChannel[Any]]] = {
    ChannelKind.SLACK: SlackChannel,
    ChannelKind.WEBHOOK: WebhookChannel,
    ChannelKind.EMAIL: EmailChannel,
    ChannelKind.PAGERDUTY: PagerDutyChannel,
    ChannelKind.TEAMS: TeamsChannel,
    ChannelKind.APPRISE: AppriseChannel,
}


def tells(kind: ChannelKind, notification_kind: NotificationKind) -> bool:
    """Tell whether notifications of a kind make sense on channels of a kind; a dispatcher leaves out the others."""
    return notification_kind in CHANNELS[kind].tells
