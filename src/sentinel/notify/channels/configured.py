"""What every kind of channel is made of: its options, its secrets, and what it sends with."""

from __future__ import annotations

import base64
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar
from urllib.parse import unquote_plus, urlsplit

from pydantic import BaseModel, ConfigDict

from sentinel.domain.channel import CHANNEL_SECRET, ChannelKind, KeptSecret, SecretRule
from sentinel.domain.notification import Notification, NotificationKind
from sentinel.errors import InvalidError
from sentinel.notify.channels.base import Receipt
from sentinel.notify.channels.texts import one_line
from sentinel.notify.reach.addresses import AddressGuard
from sentinel.notify.reach.guarded_http import GuardedHttp
from sentinel.notify.reach.urls import read_url
from sentinel.settings import NotifySettings

MAX_ANSWER_CHARACTERS = 300
_LONG = 10 * MAX_ANSWER_CHARACTERS
# Shorter parts of a secret are left alone: they would be found in every text.
_TELLING_CHARACTERS = 6


class ChannelOptions(BaseModel):
    """Public options of a kind of channel. What is secret is never among them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, str_max_length=2000)

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return self.model_dump(mode="json", exclude={"type"})


@dataclass(frozen=True, slots=True)
class Means:
    """What channels send with; shared by all of a process.

    Attributes:
        tls: Verifies certificates of mail servers.
        now: Aware, UTC.
    """

    http: GuardedHttp
    guard: AddressGuard
    tls: ssl.SSLContext
    settings: NotifySettings
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a channel connects to.

    Attributes:
        pointer: The member of a request that named it.
    """

    host: str
    port: int
    is_encrypted: bool
    pointer: str


Options = TypeVar("Options", bound=ChannelOptions)


class ConfiguredChannel(ABC, Generic[Options]):
    """A channel of one kind, ready to send. Making one reads nothing and connects to nothing.

    Attributes:
        tells: Kinds of notifications that make sense to its receiver; a dispatcher leaves out the others.
    """

    kind: ClassVar[ChannelKind]
    options_type: ClassVar[type[ChannelOptions]]
    tells: ClassVar[frozenset[NotificationKind]] = frozenset(NotificationKind) - {NotificationKind.ACKNOWLEDGED}

    def __init__(self, options: Options, secrets: Sequence[KeptSecret], means: Means) -> None:
        self._options = options
        self._secrets = tuple(secrets)
        self._means = means
        self._redactor = Redactor(secret.value for secret in secrets)

    @abstractmethod
    def send(self, notification: Notification) -> Receipt:
        """As in `Channel`."""

    @classmethod
    def secret_rule(cls, options: Options) -> SecretRule:
        """Return whether it takes a secret."""
        return SecretRule.REQUIRED

    @classmethod
    def secret_problem(cls, options: Options, secret: str) -> str | None:
        """Return what is wrong with a secret, without saying it; None when nothing is."""
        return None if CHANNEL_SECRET.fullmatch(secret) else "a secret has 8 to 2000 visible ASCII characters"

    @classmethod
    def options_problem(cls, options: Options, settings: NotifySettings) -> tuple[str, str] | None:
        """Return (member, sentence) of what the options' own types do not say; None when nothing is wrong."""
        return None

    @classmethod
    @abstractmethod
    def places(cls, options: Options, secret: str | None) -> list[Place]:
        """Return where it connects to, which depends on the secret where that is a URL.

        Raises:
            InvalidError: A URL cannot be one.
        """

    @classmethod
    def secret_goes_to(cls, options: Options) -> tuple[Any, ...] | None:
        """Return what decides who sees the secret; None: nobody does, or the secret says itself where it goes.

        When it changes the secret has to be given again, so that nobody has a secret sent elsewhere who cannot read it.
        """
        return None

    def with_target(self, target: str) -> Self:
        """Return the same channel with another target, as a rule names it: `#x`, `a@b`.

        Raises:
            InvalidError: It cannot go there.
        """
        raise InvalidError(f"a channel of kind {self.kind.value!r} has one target, so it cannot go to {target!r}")

    def _secret(self) -> str:
        """Return the newest secret. One that is required is there: a channel without it is not opened."""
        return self._secrets[0].value


class Redactor:
    """Takes secrets out of what receivers say: an answer may repeat a URL or a password."""

    def __init__(self, secrets: Iterable[str]) -> None:
        whole = [secret for secret in secrets if secret]
        parts = {part for secret in whole for part in _parts(secret) if len(part) >= _TELLING_CHARACTERS}
        self._parts = sorted({*whole, *parts}, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return the beginning of a text on one line, printable, without secrets."""
        for part in self._parts:
            text = text.replace(part, "***")
        return one_line(text[:_LONG])[:MAX_ANSWER_CHARACTERS]


def _parts(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    parts = {secret, secret.removeprefix("whsec_"), encoded}
    if "://" in secret:
        url = urlsplit(secret)
        raw = [value for pair in url.query.split("&") for value in pair.split("=", 1)]
        pieces = [*url.path.split("/"), *raw]
        parts |= {url.path, url.query, *pieces, *(unquote_plus(piece) for piece in pieces)}
        parts |= {part for part in (url.username, url.password) if part}
    return parts


def place_of_url(url: str, pointer: str) -> Place:
    """Return where a URL leads to.

    Raises:
        InvalidError: It cannot be one.
    """
    target = read_url(url)
    return Place(target.host, target.port, target.is_encrypted, pointer)


def url_problem(url: str) -> str | None:
    """Return what is wrong with a URL, without saying it; None when nothing is."""
    try:
        read_url(url)
    except InvalidError as error:
        return error.message
    return None
