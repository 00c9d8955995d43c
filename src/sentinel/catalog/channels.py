"""Use cases on channels: create, change, give secrets to, switch on and off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sentinel.catalog.audit import Auditor
from sentinel.catalog.pipelines import counted
from sentinel.catalog.versions import refuse_other_version
from sentinel.domain.channel import (
    CHANNEL_NAME,
    DEFAULT_OVERLAP,
    MAX_CHANNEL_SECRETS,
    MAX_CHANNELS,
    MAX_OVERLAP,
    MAX_RATE_PER_MINUTE,
    MAX_REASON_CHARACTERS,
    ChannelKind,
    ChannelStatus,
    NotificationChannel,
    SecretRule,
)
from sentinel.domain.webhook import secret_hint
from sentinel.errors import ConflictError, ErrorDetail, InvalidError, NotFoundError
from sentinel.stores.channels import ChannelStore


class KindRules(Protocol):
    """What the kinds of channels say of options and secrets."""

    def checked(self, kind: ChannelKind, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return options in their stored form.

        Raises:
            InvalidError: They cannot work; its details name each member.
        """

    def secret_rule(self, kind: ChannelKind, options: Mapping[str, Any]) -> SecretRule:
        """Return whether a channel with these options takes a secret."""

    def secret_problem(self, kind: ChannelKind, options: Mapping[str, Any], secret: str) -> str | None:
        """Return what is wrong with a secret, without saying it; None when nothing is."""

    def secret_goes_to(self, kind: ChannelKind, options: Mapping[str, Any]) -> object:
        """Return something that is equal for options with which the secret is seen by the same receiver."""


@dataclass(frozen=True, slots=True)
class ChannelWithSecret:
    """A channel, and the secret that was made for it: shown now and never again. None: it was not made here."""

    channel: NotificationChannel
    new_secret: str | None = field(default=None, repr=False)


class ChannelCatalog:
    """Channels of one tenant."""

    def __init__(
        self,
        channels: ChannelStore,
        kinds: KindRules,
        auditor: Auditor,
        *,
        caller: str,
        now: Callable[[], datetime],
        new_secret: Callable[[], str],
    ) -> None:
        self._channels = channels
        self._kinds = kinds
        self._auditor = auditor
        self._caller = caller
        self._now = now
        self._new_secret = new_secret

    def list(self) -> Sequence[NotificationChannel]:
        """Return all channels, by name."""
        return self._channels.list()

    def get(self, name: str) -> NotificationChannel:
        """Return a channel.

        Raises:
            NotFoundError: There is no such channel.
        """
        return _found(name, self._channels.get(name))

    def create(
        self,
        *,
        name: str,
        kind: ChannelKind,
        options: Mapping[str, Any],
        secret: str | None,
        rate_per_minute: int | None,
    ) -> ChannelWithSecret:
        """Create a channel. For one that signs a secret is made where none is given.

        Raises:
            InvalidError: Name, options, secret or rate cannot work.
            ConflictError: The name is taken, or there are too many channels.
        """
        problems = [*_name_problems(name), *_rate_problems(rate_per_minute)]
        stored, more = self._checked(kind, options)
        problems += more
        if stored is not None:
            problems += self._secret_problems(kind, stored, secret)
        if problems or stored is None:
            raise InvalidError(counted(problems), details=problems)
        self._channels.lock_all()
        if len(self._channels.list()) >= MAX_CHANNELS:
            raise ConflictError(f"there are {MAX_CHANNELS} channels, as many as may be; delete one first")
        channel = self._channels.add(
            name=name, kind=kind, options=stored, rate_per_minute=rate_per_minute, created_by=self._caller
        )
        if channel is None:
            raise ConflictError(
                f"there is a channel named {name!r} already; choose another name",
                details=[ErrorDetail("/name", "taken")],
            )
        self._record("add", channel, None, facts_of_channel(channel))
        made = None
        if secret is None and self._kinds.secret_rule(kind, stored) is SecretRule.GENERATED:
            made = self._new_secret()
        chosen = secret or made
        if chosen:
            self._add_secret(channel, chosen)
        return ChannelWithSecret(self.get(name), made)

    def merged(self, name: str, options: Mapping[str, Any]) -> tuple[ChannelKind, dict[str, Any]]:
        """Return kind and options of a channel as a change would leave them.

        Raises:
            NotFoundError: There is no such channel.
            InvalidError: They cannot work.
        """
        channel = self.get(name)
        return channel.kind, self._kinds.checked(channel.kind, {**channel.options, **options})

    def change(
        self,
        name: str,
        *,
        options: Mapping[str, Any],
        secret: str | None,
        rate_per_minute: int | None,
        keeps_rate: bool,
        expected_version: int | None,
    ) -> NotificationChannel:
        """Change a channel. Options that are left out stay, and so does the secret.

        A change that has the secret go elsewhere must bring it along: who cannot read a secret must not learn it by
        having it sent to a server of his own.

        Args:
            keeps_rate: Whether `rate_per_minute` was left out; else None means that there is no limit.

        Raises:
            NotFoundError: There is no such channel.
            InvalidError: As of `create`, or the secret is missing.
            VersionMismatchError: The channel is no longer at the expected version.
        """
        channel = self._locked(name, expected_version)
        wanted_rate = channel.rate_per_minute if keeps_rate else rate_per_minute
        problems = list(_rate_problems(wanted_rate))
        stored, more = self._checked(channel.kind, {**channel.options, **options})
        problems += more
        rule = SecretRule.NONE if stored is None else self._kinds.secret_rule(channel.kind, stored)
        if stored is not None:
            problems += self._changed_secret_problems(channel, stored, rule, secret)
        if problems or stored is None:
            raise InvalidError(counted(problems), details=problems)
        self._channels.change(channel.id, options=stored, rate_per_minute=wanted_rate)
        if secret is not None or (rule is SecretRule.NONE and channel.secrets):
            self._channels.delete_secrets(channel.id)
            self._record("delete_secrets", channel, _facts_of_secrets(channel), None)
        if secret is not None:
            self._add_secret(channel, secret)
        changed = self.get(name)
        self._record("change", changed, facts_of_channel(channel), facts_of_channel(changed))
        return changed

    def rotate(self, name: str, *, secret: str | None, overlap: timedelta | None) -> ChannelWithSecret:
        """Give a channel another secret.

        One that signs signs with the new and the earlier ones until the overlap is over, by default a day; a new one
        is made where none is given. Any other has one secret, which is replaced.

        Raises:
            NotFoundError: There is no such channel.
            InvalidError: The secret or the overlap cannot work.
            ConflictError: The channel takes no secret, or has as many as one may.
        """
        channel = self._locked(name, None)
        rule = self._kinds.secret_rule(channel.kind, channel.options)
        if rule is SecretRule.NONE:
            raise ConflictError(f"the channel {name!r} takes no secret as it is set up")
        signs = rule is SecretRule.GENERATED
        problems = [*self._secret_problems(channel.kind, channel.options, secret)]
        if overlap is not None and not signs:
            problems.append(ErrorDetail("/overlap_seconds", "a channel of this kind has one secret at a time"))
        elif overlap is not None and not timedelta(0) <= overlap <= MAX_OVERLAP:
            days = MAX_OVERLAP.days
            problems.append(ErrorDetail("/overlap_seconds", f"secrets overlap for 0 seconds to {days} days"))
        if problems:
            raise InvalidError(counted(problems), details=problems)
        kept_for = (DEFAULT_OVERLAP if overlap is None else overlap) if signs else timedelta(0)
        if not kept_for:
            self._channels.delete_secrets(channel.id)
        elif len(channel.secrets) >= MAX_CHANNEL_SECRETS:
            raise ConflictError(
                f"a channel signs with {MAX_CHANNEL_SECRETS} secrets at most; wait until one ends, or end all others "
                "at once (overlap_seconds: 0)"
            )
        else:
            self._channels.expire_secrets(channel.id, self._now() + kept_for)
        made = self._new_secret() if secret is None else None
        self._add_secret(channel, secret or made or "", before=_facts_of_secrets(channel))
        return ChannelWithSecret(self.get(name), made)

    def set_status(
        self, name: str, status: ChannelStatus, *, reason: str = "", expected_version: int | None
    ) -> NotificationChannel:
        """Enable a channel, or disable it with a reason; one that is so already stays as it is.

        Raises:
            NotFoundError: There is no such channel.
            VersionMismatchError: The channel is no longer at the expected version.
        """
        channel = self._locked(name, expected_version)
        kept = reason[:MAX_REASON_CHARACTERS] if status is ChannelStatus.DISABLED else ""
        if not self._channels.set_status(channel.id, status, kept):
            return channel
        changed = self.get(name)
        action = "disable" if status is ChannelStatus.DISABLED else "enable"
        self._record(action, changed, facts_of_channel(channel), facts_of_channel(changed))
        return changed

    def delete(self, name: str, *, expected_version: int | None) -> None:
        """Delete a channel with its secrets. Rules that name it notify nobody by it any more.

        Raises:
            NotFoundError: There is no such channel.
            VersionMismatchError: It is no longer at the expected version.
        """
        channel = self._locked(name, expected_version)
        self._channels.delete(channel.id, self._now())
        self._record("delete", channel, facts_of_channel(channel), None)

    def record_test(self, name: str, outcome: Mapping[str, Any]) -> None:
        """Record that somebody tried a channel; nothing where it was deleted meanwhile."""
        channel = self._channels.get(name)
        if channel is not None:
            self._record("test", channel, None, outcome)

    def _checked(
        self, kind: ChannelKind, options: Mapping[str, Any]
    ) -> tuple[dict[str, Any] | None, Sequence[ErrorDetail]]:
        try:
            return self._kinds.checked(kind, options), ()
        except InvalidError as error:
            return None, error.details

    def _secret_problems(
        self, kind: ChannelKind, options: Mapping[str, Any], secret: str | None
    ) -> Sequence[ErrorDetail]:
        if secret is not None:
            problem = self._kinds.secret_problem(kind, options, secret)
            return [ErrorDetail("/secret", problem)] if problem else []
        if self._kinds.secret_rule(kind, options) is SecretRule.REQUIRED:
            wanted = f"a channel of kind {kind.value!r} as it is set up needs its secret"
            return [
                ErrorDetail("/secret", f"{wanted}: send it as `secret`, or with `sentinel channels add ... --secret`")
            ]
        return []

    def _changed_secret_problems(
        self, channel: NotificationChannel, options: Mapping[str, Any], rule: SecretRule, secret: str | None
    ) -> Sequence[ErrorDetail]:
        if secret is not None:
            if rule is SecretRule.GENERATED:
                return [ErrorDetail("/secret", "rotate it instead: POST .../secrets")]
            return self._secret_problems(channel.kind, options, secret)
        if rule is not SecretRule.REQUIRED:
            return []
        before = self._kinds.secret_goes_to(channel.kind, channel.options)
        if channel.secrets and before != self._kinds.secret_goes_to(channel.kind, options):
            return [ErrorDetail("/secret", "by this change the secret would go elsewhere, so it must be given again")]
        return [] if channel.secrets else self._secret_problems(channel.kind, options, None)

    def _add_secret(
        self, channel: NotificationChannel, secret: str, *, before: Mapping[str, Any] | None = None
    ) -> None:
        hint = secret_hint(secret)
        secret_id = self._channels.add_secret(channel.id, secret, hint=hint, added_by=self._caller)
        after = {"secrets": [*(before or {}).get("secrets", []), {"secret_id": secret_id, "hint": hint}]}
        self._record("add_secret", channel, before, after)

    def _locked(self, name: str, expected_version: int | None) -> NotificationChannel:
        channel = _found(name, self._channels.lock(name))
        refuse_other_version(f"channel {name!r}", channel.version, expected_version)
        return channel

    def _record(
        self,
        action: str,
        channel: NotificationChannel,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
    ) -> None:
        self._auditor.record(
            f"channel.{action}",
            "channel",
            channel.id,
            pipeline_id=None,
            object_name=channel.name,
            before=before,
            after=after,
        )


def facts_of_channel(channel: NotificationChannel) -> dict[str, Any]:
    """Return what there is to say of a channel, as plain data; its secrets have entries of their own."""
    return {
        "kind": channel.kind.value,
        "status": channel.status.value,
        "disabled_reason": channel.disabled_reason,
        "rate_per_minute": channel.rate_per_minute,
        **channel.options,
    }


def _facts_of_secrets(channel: NotificationChannel) -> dict[str, Any]:
    return {"secrets": [{"secret_id": secret.id, "hint": secret.hint} for secret in channel.secrets]}


def _name_problems(name: str) -> list[ErrorDetail]:
    if CHANNEL_NAME.fullmatch(name):
        return []
    message = f"{name[:100]!r} is not a name: lower-case letters, digits and hyphens, at most 63, from a letter on"
    return [ErrorDetail("/name", message)]


def _rate_problems(rate_per_minute: int | None) -> list[ErrorDetail]:
    if rate_per_minute is None or 1 <= rate_per_minute <= MAX_RATE_PER_MINUTE:
        return []
    return [ErrorDetail("/rate_per_minute", f"1 to {MAX_RATE_PER_MINUTE}, or null for no limit")]


def _found(name: str, channel: NotificationChannel | None) -> NotificationChannel:
    if channel is None:
        raise NotFoundError(f"there is no channel {name[:100]!r}")
    return channel
