"""What the kinds of channels say of options and secrets, for use cases that know channels as rows only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sentinel.domain.channel import ChannelKind, SecretRule
from sentinel.errors import AddressNotAllowedError, ErrorDetail, InvalidError
from sentinel.notify.channels.configured import ChannelOptions, ConfiguredChannel
from sentinel.notify.channels.kinds import CHANNELS
from sentinel.notify.reach.addresses import AddressGuard, HostUnresolvedError
from sentinel.settings import NotifySettings

# Somebody waits for the answer, and a thread with him.
MAX_JUDGING_SECONDS = 2.0


class ChannelRules:
    """Checks options and secrets by the channel's kind."""

    def __init__(self, settings: NotifySettings, guard: AddressGuard) -> None:
        self._settings = settings
        self._guard = guard

    def checked(self, kind: ChannelKind, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return options in their stored form, with defaults.

        Raises:
            InvalidError: They cannot work; its details name each member.
        """
        return self._read(kind, options).as_json()

    def secret_rule(self, kind: ChannelKind, options: Mapping[str, Any]) -> SecretRule:
        """Return whether a channel with these options takes a secret."""
        return CHANNELS[kind].secret_rule(self._read(kind, options))

    def secret_problem(self, kind: ChannelKind, options: Mapping[str, Any], secret: str) -> str | None:
        """Return what is wrong with a secret, without saying it; None when nothing is."""
        return CHANNELS[kind].secret_problem(self._read(kind, options), secret)

    def secret_goes_to(self, kind: ChannelKind, options: Mapping[str, Any]) -> object:
        """Return something that is equal for options with which the secret is seen by the same receiver."""
        return CHANNELS[kind].secret_goes_to(self._read(kind, options))

    def judge_addresses(self, kind: ChannelKind, options: Mapping[str, Any], secret: str | None) -> list[str]:
        """Resolve where a channel would connect to, and return remarks: names that do not resolve now.

        It takes as long as the resolver, at most MAX_JUDGING_SECONDS; so not within a transaction. The same
        is checked whenever it connects: a name may lead elsewhere by then. Options and secrets that cannot work are
        passed over: the use cases refuse them, with all else that is wrong.

        Raises:
            AddressNotAllowedError: The channel may not connect there.
        """
        channel = CHANNELS[kind]
        try:
            read = self._read(kind, options)
        except InvalidError:
            return []
        if secret is not None and channel.secret_problem(read, secret) is not None:
            return []
        remarks = []
        for place in channel.places(read, secret):
            try:
                self._guard.addresses(
                    place.host,
                    place.port,
                    is_encrypted=place.is_encrypted,
                    timeout_seconds=min(self._settings.connect_timeout_seconds, MAX_JUDGING_SECONDS),
                )
            except AddressNotAllowedError as error:
                raise AddressNotAllowedError(
                    f"{place.pointer}: {error.message}", details=[ErrorDetail(place.pointer, error.message)]
                ) from error
            except HostUnresolvedError as error:
                remarks.append(f"{place.pointer}: {error.message}; nothing can be sent until it does")
        return remarks

    def _read(self, kind: ChannelKind, options: Mapping[str, Any]) -> ChannelOptions:
        channel = CHANNELS[kind]
        read = read_options(channel, options)
        problem = channel.options_problem(read, self._settings)
        if problem is not None:
            raise InvalidError(problem[1], details=[ErrorDetail(*problem)])
        return read


def read_options(channel: type[ConfiguredChannel[Any]], options: Mapping[str, Any]) -> ChannelOptions:
    """Read options of a kind.

    Raises:
        InvalidError: They cannot work; its details name each member.
    """
    try:
        return channel.options_type.model_validate(dict(options))
    except ValidationError as error:
        details = [
            ErrorDetail("/".join(("/options", *map(_escaped, item["loc"]))), item["msg"].removeprefix("Value error, "))
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
        raise InvalidError(f"{details[0].pointer}: {details[0].detail}{more}", details=details) from error


def _escaped(part: str | int) -> str:
    return str(part)[:100].replace("~", "~0").replace("/", "~1")
