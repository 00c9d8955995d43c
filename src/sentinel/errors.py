"""The error tree of Sentinel.

    SentinelError
    ├── InvalidError          the caller sent something that can never work      (slug invalid)
    │   ├── InvalidRuleError  a rule with issues, all of them listed
    │   ├── InvalidQueryError a query over the lake that cannot run, with the place of its fault
    │   ├── TooBroadError     a question whose answer takes too long; narrow it
    │   └── UnusableDeliveryError  a webhook that was signed and is no event
    │       └── TooLargeError      a webhook whose body is too large
    ├── NotFoundError         the named thing does not exist for this tenant
    ├── ConflictError         the thing is in a state that does not allow this
    │   ├── VersionMismatchError   If-Match names another version
    │   ├── ChannelUnusableError   a channel that is disabled, or lacks its secret
    │   ├── BreakingChangeError    a schema change that breaks something; carries the plan
    │   ├── RuleTestsFailedError   a rule whose tests fail is not published
    │   └── RuleTestsNotRunError   its tests must be run before
    ├── UnauthenticatedError  no valid API key
    │   └── UnsignedDeliveryError  a webhook whose signature does not hold
    ├── ForbiddenError        the key may not do this
    │   └── SourceDisabledError    a webhook of a source that is disabled
    ├── RateLimitedError      too many requests
    ├── ConfigurationError    settings or environment that cannot work; the message says what to change
    ├── TransientError        the same call may succeed later: wait and retry
    │   ├── StoreUnavailableError  PostgreSQL, Redis, Kafka or the lake does not answer
    │   ├── SealedSecretError      a secret that no key of ours opens; the right key is a restart away
    │   └── EngineUnavailableError no rule worker answers in time
    └── TerminalError         retrying is pointless: dead letter, or stop with an alarm
        ├── LeaseLostError         another driver holds the pipeline
        └── SourceGapError         the topic no longer holds offsets that were not processed

By meaning, `config_api/problems.py` turns the first group into HTTP answers; by fate, the streaming
runtime retries `TransientError` and stops on `TerminalError`. Messages name the value and the way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ErrorDetail:
    """One thing that is wrong with a request: a JSON pointer (RFC 6901) and a sentence."""

    pointer: str
    detail: str


class SentinelError(Exception):
    """Base of every error raised on purpose."""

    slug = "internal"
    title = "Something went wrong"

    def __init__(self, message: str, *, details: Sequence[ErrorDetail] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)


class InvalidError(SentinelError):
    """The request can never work as it is."""

    slug = "invalid"
    title = "The request is not valid"


class InvalidRuleError(InvalidError):
    """A rule expression has issues of severity `error`.

    `issues` are `sentinel.rules.issue.Issue` as plain dicts (severity, code, start, end, message, suggestion).
    """

    slug = "invalid-rule"
    title = "The rule expression is not valid"

    def __init__(self, message: str, *, issues: Sequence[dict[str, Any]]) -> None:
        super().__init__(message)
        self.issues = tuple(issues)


class InvalidQueryError(InvalidError):
    """A query over the lake cannot run.

    `position` is where in its text, in characters from the beginning; None: nowhere in particular.
    """

    slug = "invalid-query"
    title = "The query cannot run"

    def __init__(self, message: str, *, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class TooBroadError(InvalidError):
    """Answering would take too long; a narrower question would not."""

    slug = "too-broad"
    title = "The question is too broad"


class AddressNotAllowedError(InvalidError):
    """A tenant named a target that our requests may not go to."""

    slug = "address-not-allowed"
    title = "Requests may not go to this address"


class UnusableDeliveryError(InvalidError):
    """A webhook was signed and is no event: its body is no JSON object, or names no id."""

    slug = "unusable-delivery"
    title = "The webhook is not an event"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class TooLargeError(UnusableDeliveryError):
    """The body of a webhook is too large."""

    slug = "too-large"
    title = "The body is too large"


class NotFoundError(SentinelError):
    """The thing does not exist, or not for this tenant."""

    slug = "not-found"
    title = "Not found"


class ConflictError(SentinelError):
    """The current state does not allow this."""

    slug = "conflict"
    title = "The current state does not allow this"


class VersionMismatchError(ConflictError):
    """`If-Match` names a version that is no longer current."""

    slug = "version-mismatch"
    title = "Somebody else changed this first"


class ChannelUnusableError(ConflictError):
    """A channel is disabled, lacks its secret, or its kind is switched off."""

    slug = "channel-unusable"
    title = "The channel cannot be used"


class BreakingChangeError(ConflictError):
    """A schema change would break rules or lake columns; `plan` lists them and carries the token to confirm."""

    slug = "breaking-change"
    title = "The change would break something"

    def __init__(self, message: str, *, plan: dict[str, Any]) -> None:
        super().__init__(message)
        self.plan = plan


class RuleTestsFailedError(ConflictError):
    """Tests beside the rule fail with what is to be published; each is a detail."""

    slug = "rule-tests-failed"
    title = "Tests of the rule fail"


class RuleTestsNotRunError(ConflictError):
    """The tests beside the rule were not run with what is to be published."""

    slug = "rule-tests-not-run"
    title = "Tests of the rule must be run first"


class UnauthenticatedError(SentinelError):
    """No API key, or one that is unknown, expired or revoked."""

    slug = "unauthenticated"
    title = "A valid API key is needed"


class UnsignedDeliveryError(UnauthenticatedError):
    """The signature of a webhook does not hold; `reason` says why."""

    slug = "unsigned-delivery"
    title = "The webhook's signature does not hold"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class ForbiddenError(SentinelError):
    """The API key lacks the scope."""

    slug = "forbidden"
    title = "This API key may not do that"


class SourceDisabledError(ForbiddenError):
    """The source of a webhook is disabled."""

    slug = "source-disabled"
    title = "The webhook's source is disabled"

    reason = "disabled"


class RateLimitedError(SentinelError):
    """Too many requests; `retry_after_seconds` says when to come back."""

    slug = "rate-limited"
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConfigurationError(SentinelError):
    """Settings or environment that cannot work; the message says what to change."""

    slug = "configuration"
    title = "The configuration cannot work"


class TransientError(SentinelError):
    """The same call may succeed later."""

    slug = "transient"
    title = "Temporarily not possible"


class StoreUnavailableError(TransientError):
    """A store does not answer; `store` names it."""

    slug = "unavailable"
    title = "A store does not answer"

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(f"{store} does not answer: {reason}")
        self.store = store


class SealedSecretError(TransientError):
    """A secret is encrypted, and no key that is configured opens it."""

    slug = "sealed-secret"
    title = "A secret cannot be read"


class EngineUnavailableError(TransientError):
    """No rule worker takes the task, or it has not answered yet."""

    slug = "engine-unavailable"
    title = "The rule worker does not answer"


class TerminalError(SentinelError):
    """Retrying is pointless."""

    slug = "terminal"
    title = "Cannot go on"


class LeaseLostError(TerminalError):
    """Another driver holds the lease of the pipeline, so nothing of this driver may be written any more."""

    slug = "lease-lost"
    title = "Another driver runs this pipeline"


class SourceGapError(TerminalError):
    """The source topic does not hold offsets that are not processed yet (deleted, recreated, cut by retention)."""

    slug = "source-gap"
    title = "The topic lacks records that were not processed"
