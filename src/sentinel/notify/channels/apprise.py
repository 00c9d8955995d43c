"""The long tail of services through the library Apprise (https://github.com/caronc/apprise), an optional extra.

Apprise connects by itself, past `AddressGuard`. So the kind is off unless the operator allows it, and of Apprise's more
than a hundred schemas only those are taken whose host is the service's own, never one that the URL names.
"""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from sentinel.domain.channel import CHANNEL_SECRET, ChannelKind
from sentinel.domain.notification import Notification, NotificationKind
from sentinel.domain.rule import Severity
from sentinel.notify.channels.base import AttemptFailedError, Fate, Receipt
from sentinel.notify.channels.configured import ChannelOptions, ConfiguredChannel, Place
from sentinel.notify.channels.texts import cut, one_line, plain_text
from sentinel.settings import NotifySettings

SETTING = "SENTINEL_NOTIFY__APPRISE"
# Services that are reached at a host of their own (of mailgun and sparkpost the URL names the sender's domain). None of
# file, dbus, glib, gnome, macosx, windows, syslog, exec, form, json, xml, mailto, mqtt, ntfy, gotify, matrix, lametric:
# these run on this machine or go where the URL says.
SCHEMAS = frozenset(
    {
        "burstsms", "clickatell", "clicksend", "d7sms", "dingtalk", "discord", "flock", "gchat", "ifttt", "join",
        "kumulos", "line", "mailgun", "msg91", "notifiarr", "onesignal", "opsgenie", "pbul", "pover", "prowl",
        "pushed", "pushy", "sendgrid", "signl4", "simplepush", "sinch", "sparkpost", "splunk", "tgram", "twilio",
        "twist", "victorops", "voipms", "vonage", "webex", "wxteams",
    }
)  # fmt: skip
# Parameters are taken that choose how a message looks. `verify=no`, `template=/etc/passwd` and the like are not.
PARAMETERS = frozenset(["format", "overflow", "priority", "sound", "region", "silent", "preview", "topic", "mode"])
_TYPES = {Severity.CRITICAL: "failure", Severity.WARNING: "warning", Severity.INFO: "info"}


class AppriseOptions(ChannelOptions):
    """Nothing but the secret: Apprise's URL."""

    type: Literal["apprise"] = "apprise"


class AppriseChannel(ConfiguredChannel[AppriseOptions]):
    """Hands a title and plain text to Apprise, which says no more than whether it was taken."""

    kind = ChannelKind.APPRISE
    options_type = AppriseOptions
    tells = frozenset(NotificationKind) - {NotificationKind.ACKNOWLEDGED, NotificationKind.RESOLVED}

    @classmethod
    def options_problem(cls, options: AppriseOptions, settings: NotifySettings) -> tuple[str, str] | None:
        """Return why the kind cannot be used here."""
        problem = unusable(settings)
        return None if problem is None else ("/kind", problem)

    @classmethod
    def secret_problem(cls, options: AppriseOptions, secret: str) -> str | None:
        """Return what is wrong with a URL of Apprise."""
        if not CHANNEL_SECRET.fullmatch(secret):
            return "the URL has 8 to 2000 visible ASCII characters"
        try:
            url = urlsplit(secret)
            parameters = [name.lower() for name, _ in parse_qsl(url.query, keep_blank_values=True)]
        except ValueError:
            return "the URL cannot be read"
        schema = url.scheme.lower()
        if "://" not in secret or schema not in SCHEMAS:
            return f"{schema[:30]!r} is not among the schemas that are taken: {', '.join(sorted(SCHEMAS))}"
        if "," in secret or ";" in secret:
            return "the URL holds a comma or semicolon, by which Apprise separates several; write it as %2C or %3B"
        refused = sorted({name for name in parameters if name not in PARAMETERS})
        if refused:
            return f"the parameter {refused[0][:30]!r} is not taken; {', '.join(sorted(PARAMETERS))} are"
        return None

    @classmethod
    def places(cls, options: AppriseOptions, secret: str | None) -> list[Place]:
        """Return nothing: the services' hosts are theirs."""
        return []

    def send(self, notification: Notification) -> Receipt:
        """Send it once."""
        problem = unusable(self._means.settings)
        if problem is not None:
            raise AttemptFailedError(problem, fate=Fate.DEAD, reason="switched_off")
        if self.secret_problem(self._options, self._secret()) is not None:
            raise AttemptFailedError("the URL is not taken any more", fate=Fate.DEAD, reason="bad_url")
        apprise: Any = import_module("apprise")
        # Whatever the level of all others: below this one, URLs are written to the log with what is secret in them.
        logging.getLogger("apprise").setLevel(logging.WARNING)
        # In this thread, without plugins of the machine and without files.
        asset = apprise.AppriseAsset(async_mode=False, secure_logging=True, plugin_paths=[], storage_path=None)
        service = apprise.Apprise(asset=asset)
        if not service.add(self._secret()):
            raise AttemptFailedError("Apprise does not understand the URL", fate=Fate.DEAD, reason="bad_url")
        is_sent = service.notify(
            title=cut(one_line(notification.title), 250),
            body=plain_text(notification, most=5),
            notify_type=_TYPES[notification.severity],
            body_format="text",
        )
        if not is_sent:
            raise AttemptFailedError(
                "the service did not take it; Apprise does not say why", fate=Fate.RETRY, reason="apprise"
            )
        return Receipt()


def unusable(settings: NotifySettings) -> str | None:
    """Return why channels of this kind cannot be used; None: they can."""
    if not settings.apprise:
        return (
            "channels of kind 'apprise' are switched off, since their connections are not guarded; the operator "
            f"allows them by {SETTING}=true"
        )
    if find_spec("apprise") is None:
        return "the library Apprise is not installed; install the extra: pip install 'sentinel-detect[apprise]'"
    return None
