"""Mail by SMTP, as text and HTML (RFC 5321, RFC 5322, RFC 2046)."""

from __future__ import annotations

import hashlib
import re
import smtplib
import ssl
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Literal, Self

import jinja2
from pydantic import Field, field_validator, model_validator

from sentinel.domain.channel import ChannelKind, KeptSecret, SecretRule
from sentinel.domain.notification import Notification, NotificationKind
from sentinel.domain.rule import Severity
from sentinel.errors import AddressNotAllowedError, InvalidError
from sentinel.notify.channels.base import AttemptFailedError, Fate, Receipt
from sentinel.notify.channels.configured import ChannelOptions, ConfiguredChannel, Means, Place, Redactor
from sentinel.notify.channels.texts import cut, facts, newest_first, one_line, plain_text, untold
from sentinel.notify.reach.addresses import HostUnresolvedError
from sentinel.notify.reach.guarded_smtp import MailServer, hand_in
from sentinel.notify.reach.urls import HOST

MAX_RECIPIENTS = 50
_MOST_ALERTS = 20
_SUBJECT_CHARACTERS = 200
# ASCII only: servers that take more must say so (SMTPUTF8), and few do.
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_LOCAL_PART = re.compile(r"(?=.{1,64}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_MESSAGE_ID = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]{1,75}>")
_COLOR = {Severity.CRITICAL: "#c0392b", Severity.WARNING: "#e67e22", Severity.INFO: "#2980b9"}
_HTML = jinja2.Environment(
    loader=jinja2.PackageLoader("sentinel.notify.channels"), autoescape=True, undefined=jinja2.StrictUndefined
)


class EmailOptions(ChannelOptions):
    """Where mail is handed in, and whom it goes to."""

    type: Literal["email"] = "email"
    host: str = Field(max_length=253, description="Of the mail server.", examples=["smtp.example.com"])
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "plain"] = Field(
        default="starttls",
        description="tls: from the first byte (port 465). plain: only to networks that the operator allowed.",
    )
    username: str = Field(
        default="", max_length=255, description="Empty: without logging in. The secret is its password."
    )
    sender: str = Field(description="Whom it comes from.", examples=["sentinel@example.com"])
    recipients: list[str] = Field(
        default=[], max_length=MAX_RECIPIENTS, description="Whom it goes to; rules may name each of them."
    )
    allowed_domains: list[str] = Field(
        default=[], max_length=MAX_RECIPIENTS, description="Rules may name any address in these domains besides."
    )

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        if not HOST.fullmatch(value.lower()):
            raise ValueError(f"{value[:100]!r} is not the name of a host")
        return value.lower()

    @field_validator("username")
    @classmethod
    def _is_printable(cls, value: str) -> str:
        if not value.isprintable() or not value.isascii():
            raise ValueError("a user name has visible ASCII characters")
        return value

    @field_validator("sender")
    @classmethod
    def _is_address(cls, value: str) -> str:
        _refuse_other_than_address(value)
        return value

    @field_validator("recipients")
    @classmethod
    def _are_addresses(cls, value: list[str]) -> list[str]:
        for address in value:
            _refuse_other_than_address(address)
        return list(dict.fromkeys(value))

    @field_validator("allowed_domains")
    @classmethod
    def _are_domains(cls, value: list[str]) -> list[str]:
        for domain in value:
            if not _DOMAIN.fullmatch(domain):
                raise ValueError(f"{domain[:100]!r} is not a domain, as example.com")
        return [domain.lower() for domain in value]

    @model_validator(mode="after")
    def _has_somebody(self) -> Self:
        if not self.recipients and not self.allowed_domains:
            raise ValueError("nobody would get it; name recipients, or allowed_domains for rules to choose from")
        return self


class EmailChannel(ConfiguredChannel[EmailOptions]):
    """Hands one message in to the server, for all recipients.

    The Message-ID follows from the delivery, so that mailboxes know a repetition; messages of one group refer to a
    common one that never was, which puts them into one thread. When a server takes a message for some recipients and
    refuses others for good, it is sent, and the receipt names the others; when it refuses some for now, the message is
    tried again for all.
    """

    kind = ChannelKind.EMAIL
    options_type = EmailOptions

    def __init__(self, options: EmailOptions, secrets: Sequence[KeptSecret], means: Means) -> None:
        super().__init__(options, secrets, means)
        # As AUTH PLAIN says it (RFC 4616), encoded as one: the password's own encoding is not found in it.
        spoken = [f"\0{options.username}\0{secret.value}" for secret in secrets]
        self._redactor = Redactor([*(secret.value for secret in secrets), *spoken])

    @classmethod
    def secret_rule(cls, options: EmailOptions) -> SecretRule:
        """Return that a user name needs its password."""
        return SecretRule.REQUIRED if options.username else SecretRule.NONE

    @classmethod
    def secret_problem(cls, options: EmailOptions, secret: str) -> str | None:
        """Return what is wrong with a password."""
        if not options.username:
            return "a password without a user name (options.username) is of no use"
        return (
            None if re.fullmatch(r"[\x20-\x7e]{1,500}", secret) else "a password has 1 to 500 visible ASCII characters"
        )

    @classmethod
    def places(cls, options: EmailOptions, secret: str | None) -> list[Place]:
        """Return where it connects to."""
        return [Place(options.host, options.port, options.security != "plain", "/options/host")]

    @classmethod
    def secret_goes_to(cls, options: EmailOptions) -> tuple[Any, ...]:
        """Return what decides who sees the password."""
        return (options.host, options.port, options.security == "plain")

    def with_target(self, target: str) -> Self:
        """Return a channel that sends to one address: a listed recipient, or one in an allowed domain."""
        if not may_receive(target, self._options):
            raise InvalidError(why_not_recipient(target))
        return type(self)(self._options.model_copy(update={"recipients": [target]}), self._secrets, self._means)

    def send(self, notification: Notification) -> Receipt:
        """Send it once."""
        options, means = self._options, self._means
        if not options.recipients:
            raise AttemptFailedError("the channel has no recipients", fate=Fate.DEAD, reason="no_recipient")
        message = message_of(notification, options)
        server = MailServer(
            host=options.host,
            port=options.port,
            security=options.security,
            greets_as=_domain(options.sender),
            username=options.username,
            password=self._secret() if self._secrets else "",
        )
        try:
            refused = hand_in(
                server,
                options.sender,
                options.recipients,
                message.as_bytes(),
                guard=means.guard,
                tls=means.tls,
                settings=means.settings,
            )
        except AddressNotAllowedError as error:
            raise AttemptFailedError(error.message, fate=Fate.DEAD, reason="address_not_allowed") from error
        except HostUnresolvedError as error:
            raise AttemptFailedError(error.message, fate=Fate.RETRY, reason="unresolved") from error
        except smtplib.SMTPRecipientsRefused as error:
            raise self._refused(error.recipients, taken_by=0) from None
        except (smtplib.SMTPException, OSError) as error:
            # The error itself may hold what was said to the server: it is not kept as the cause.
            raise self._failure(error) from None
        if any(code < 500 for code, _ in refused.values()):
            raise self._refused(refused, taken_by=len(options.recipients) - len(refused))
        thread = notification.thread or message_id(notification, options)
        return Receipt(250, self._told(refused) if refused else "", thread)

    def _refused(self, refused: dict[str, tuple[int, bytes]], *, taken_by: int) -> AttemptFailedError:
        code = min(code for code, _ in refused.values())
        fate = Fate.DEAD if code >= 500 else Fate.RETRY
        but = f" (it was taken for {taken_by} others)" if taken_by else ""
        return AttemptFailedError(self._told(refused) + but, fate=fate, reason="recipient_refused", status=code)

    def _told(self, refused: dict[str, tuple[int, bytes]]) -> str:
        said = (f"{address}: {code} {text.decode(errors='replace')}" for address, (code, text) in refused.items())
        return self._redactor.clean(f"{self._options.host} refused {'; '.join(said)}")

    def _failure(self, error: Exception) -> AttemptFailedError:
        host = self._options.host
        if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 200:
            said = error.smtp_error if isinstance(error.smtp_error, str) else error.smtp_error.decode(errors="replace")
            is_login = isinstance(error, smtplib.SMTPAuthenticationError)
            return AttemptFailedError(
                f"{host} answered {error.smtp_code}: {self._redactor.clean(said)}",
                fate=Fate.DEAD if 500 <= error.smtp_code < 600 else Fate.RETRY,
                reason="login_refused" if is_login else f"status_{error.smtp_code // 100}xx",
                status=error.smtp_code,
            )
        if type(error) in {smtplib.SMTPNotSupportedError, smtplib.SMTPException}:
            return AttemptFailedError(
                f"{host} does not offer what is needed: {self._redactor.clean(str(error))}",
                fate=Fate.DEAD,
                reason="not_supported",
            )
        # smtplib makes a connection that was closed of a read that took too long.
        if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
            return AttemptFailedError(f"{host} did not answer in time", fate=Fate.RETRY, reason="timeout")
        if isinstance(error, ssl.SSLError):
            why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else error.reason
            return AttemptFailedError(f"{host}: TLS failed: {why}", fate=Fate.RETRY, reason="tls")
        if isinstance(error, ConnectionRefusedError):
            return AttemptFailedError(f"{host} could not be connected to", fate=Fate.RETRY, reason="refused")
        return AttemptFailedError(f"the connection to {host} broke", fate=Fate.RETRY, reason="broken")


def message_of(notification: Notification, options: EmailOptions) -> EmailMessage:
    """Return the message, the same for the same notification."""
    message = EmailMessage(policy=SMTP)
    message["From"] = _address(options.sender)
    message["To"] = [_address(recipient) for recipient in options.recipients]
    title = one_line(notification.title)
    message["Subject"] = cut(title, _SUBJECT_CHARACTERS)
    message["Date"] = notification.created_at
    message["Message-ID"] = message_id(notification, options)
    before = [_root_id(notification, options)]
    if notification.thread is not None and _MESSAGE_ID.fullmatch(notification.thread):
        before.append(notification.thread)
    message["In-Reply-To"] = before[-1]
    message["References"] = " ".join(before)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers
    message.set_content(plain_text(notification, most=_MOST_ALERTS) + "\n", cte="quoted-printable")
    message.add_alternative(_html(notification, title), subtype="html", cte="quoted-printable")
    message.set_boundary(f"=_{_digest(notification.delivery_id)}")
    return message


def message_id(notification: Notification, options: EmailOptions) -> str:
    """Return the Message-ID of a delivery."""
    known = re.fullmatch(r"[A-Za-z0-9_-]{1,40}", notification.delivery_id)
    return f"<{notification.delivery_id if known else _digest(notification.delivery_id)}@{_id_domain(options)}>"


def may_receive(address: str, options: EmailOptions) -> bool:
    """Tell whether a rule may name an address."""
    if not is_address(address):
        return False
    return address in options.recipients or _domain(address).lower() in options.allowed_domains


def why_not_recipient(address: str) -> str:
    """Return why a rule may not name an address."""
    if not is_address(address):
        return f"{address[:100]!r} is not an address of mail, as ops@example.com"
    return (
        f"{address} is no recipient of the channel, and its domain is not among the allowed ones; add it to recipients "
        "or allowed_domains"
    )


def is_address(text: str) -> bool:
    """Tell whether a text is an address in ASCII, without a name."""
    local, _, domain = text.rpartition("@")
    return bool(_LOCAL_PART.fullmatch(local) and _DOMAIN.fullmatch(domain))


def _refuse_other_than_address(text: str) -> None:
    if not is_address(text):
        raise ValueError(f"{text[:100]!r} is not an address of mail, as ops@example.com")


def _address(text: str) -> Address:
    return Address(addr_spec=text)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _root_id(notification: Notification, options: EmailOptions) -> str:
    return f"<group-{_digest(notification.tenant_id, notification.group_key)}@{_id_domain(options)}>"


def _id_domain(options: EmailOptions) -> str:
    """Return what ids end in. Longer ones would be broken where header lines are folded, after 78 characters."""
    domain = _domain(options.sender)
    return domain if len(domain) <= 30 else f"{_digest(domain)[:12]}.invalid"


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:32]


def _html(notification: Notification, title: str) -> str:
    told = newest_first(notification, _MOST_ALERTS)
    return _HTML.get_template("email.html.j2").render(
        title=title,
        color=_COLOR[notification.severity],
        labels={one_line(name): one_line(value) for name, value in notification.labels.items()},
        is_test=notification.kind is NotificationKind.TEST,
        alerts=[{"title": one_line(alert.title), "facts": facts(alert)} for alert in told],
        more=untold(notification, len(told)),
    )
