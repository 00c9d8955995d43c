"""Channels: where notifications may go."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import SecretStr

from config_api.dependencies import (
    Answer,
    ExpectedVersion,
    OnlyOnce,
    Reading,
    Writing,
    WritingCaller,
    etag,
)
from config_api.schemas.base import Text
from config_api.schemas.channels import (
    ChannelAnswer,
    ChannelChangeAnswer,
    ChannelDisableRequest,
    ChannelPatchRequest,
    ChannelRequest,
    ChannelSecretRequest,
    ChannelTestAnswer,
)
from config_api.schemas.problems import problems
from sentinel.catalog.channels import ChannelWithSecret
from sentinel.clock import monotonic_seconds, utc_now
from sentinel.domain.channel import ChannelStatus, NotificationChannel
from sentinel.errors import InvalidError
from sentinel.notify.reach.trial import try_channel
from sentinel.wiring import Backend
from sentinel.wiring_channels import Channels

router = APIRouter(prefix="/api/channels", tags=["channels"])

ChannelName = Annotated[Text, Path(max_length=200, description="The channel.", examples=["siem"])]


def _judged_new(request: Request, _: WritingCaller, body: ChannelRequest) -> list[str]:
    """Resolve where a new channel would connect to, before the transaction that adds it begins."""
    return _channels(request).rules.judge_addresses(body.kind, body.options, _revealed(body.secret))


def _judged_change(request: Request, caller: WritingCaller, name: ChannelName, body: ChannelPatchRequest) -> list[str]:
    """Resolve where a channel would connect to after a change, before the transaction that changes it begins."""
    if not body.options and body.secret is None:
        return []
    backend: Backend = request.app.state.backend
    try:
        with backend.unit(caller.tenant_id, caller.name) as unit:
            kind, options = unit.channels.merged(name, body.options)
    except InvalidError:
        return []  # the change itself says everything that is wrong
    return _channels(request).rules.judge_addresses(kind, options, _revealed(body.secret))


def _judged_secret(request: Request, caller: WritingCaller, name: ChannelName, body: ChannelSecretRequest) -> list[str]:
    """Resolve where a channel would connect to with another secret, which may be a URL."""
    if body.secret is None:
        return []
    backend: Backend = request.app.state.backend
    with backend.unit(caller.tenant_id, caller.name) as unit:
        channel = unit.channels.get(name)
    return _channels(request).rules.judge_addresses(channel.kind, channel.options, _revealed(body.secret))


JudgedNew = Annotated[list[str], Depends(_judged_new)]
JudgedChange = Annotated[list[str], Depends(_judged_change)]
JudgedSecret = Annotated[list[str], Depends(_judged_secret)]


@router.post("", status_code=201, response_model=ChannelChangeAnswer, responses=problems(404, 409))
def create_channel(body: ChannelRequest, remarks: JudgedNew, unit: Writing, once: OnlyOnce) -> Response:
    """Add a channel. Of kind webhook it gets a secret to sign with, which is shown in this answer and never again."""

    def work() -> Answer:
        made = unit.channels.create(
            name=body.name,
            kind=body.kind,
            options=body.options,
            secret=_revealed(body.secret),
            rate_per_minute=body.rate_per_minute,
        )
        return _answer(made, remarks, {"Location": f"/api/channels/{made.channel.name}"})

    return once.run(work, status=201)


@router.get("", responses=problems())
def list_channels(unit: Reading) -> list[ChannelAnswer]:
    """All channels, by name."""
    return [ChannelAnswer.of(channel) for channel in unit.channels.list()]


@router.get("/{name}", responses=problems(404))
def get_channel(name: ChannelName, unit: Reading, response: Response) -> ChannelAnswer:
    """One channel."""
    channel = unit.channels.get(name)
    response.headers["ETag"] = etag(channel.version)
    return ChannelAnswer.of(channel)


@router.patch("/{name}", response_model=ChannelChangeAnswer, responses=problems(404, 409, 412))
def change_channel(
    name: ChannelName,
    body: ChannelPatchRequest,
    remarks: JudgedChange,
    unit: Writing,
    once: OnlyOnce,
    expected: ExpectedVersion,
) -> Response:
    """Change options, secret or rate. Counts from the next delivery on."""

    def work() -> Answer:
        channel = unit.channels.change(
            name,
            options=body.options,
            secret=_revealed(body.secret),
            rate_per_minute=body.rate_per_minute,
            keeps_rate="rate_per_minute" not in body.model_fields_set,
            expected_version=expected,
        )
        return _answer(channel, remarks)

    return once.run(work)


@router.delete("/{name}", status_code=204, responses=problems(404, 412))
def delete_channel(name: ChannelName, unit: Writing, expected: ExpectedVersion) -> None:
    """Delete a channel with its secrets."""
    unit.channels.delete(name, expected_version=expected)


@router.post("/{name}/secrets", status_code=201, response_model=ChannelChangeAnswer, responses=problems(404, 409))
def rotate_secret(
    name: ChannelName, body: ChannelSecretRequest, remarks: JudgedSecret, unit: Writing, once: OnlyOnce
) -> Response:
    """Give a channel another secret. A webhook is signed with the earlier ones, too, until the overlap is over."""

    def work() -> Answer:
        return _answer(unit.channels.rotate(name, secret=_revealed(body.secret), overlap=body.overlap), remarks)

    return once.run(work, status=201)


@router.post("/{name}/enable", response_model=ChannelChangeAnswer, responses=problems(404, 412))
def enable_channel(name: ChannelName, unit: Writing, once: OnlyOnce, expected: ExpectedVersion) -> Response:
    """Send through a channel again."""
    return once.run(
        lambda: _answer(unit.channels.set_status(name, ChannelStatus.ACTIVE, expected_version=expected), [])
    )


@router.post("/{name}/disable", response_model=ChannelChangeAnswer, responses=problems(404, 412))
def disable_channel(
    name: ChannelName,
    unit: Writing,
    once: OnlyOnce,
    expected: ExpectedVersion,
    body: ChannelDisableRequest | None = None,
) -> Response:
    """Send nothing through a channel until it is enabled."""
    reason = body.reason if body else ""
    return once.run(
        lambda: _answer(
            unit.channels.set_status(name, ChannelStatus.DISABLED, reason=reason, expected_version=expected), []
        )
    )


@router.post("/{name}/test", responses=problems(404, 409, 429))
def test_channel(name: ChannelName, caller: WritingCaller, request: Request) -> ChannelTestAnswer:
    """Send a notification that says it is a test, at once, also through a disabled channel, and tell what came of it.

    200 also when it failed: `outcome` tells. It takes as long as the receiver, at most some 20 seconds.
    """
    backend: Backend = request.app.state.backend
    with _channels(request).trials.taken(caller.tenant_id):
        # Neither reading the channel nor sending happens within a transaction of this request.
        opened = _channels(request).opener.open_named(caller.tenant_id, name, even_disabled=True)
        trial = try_channel(
            opened,
            caller.tenant_id,
            delivery_id=f"dlv_test_{uuid.uuid4().hex}",
            now=utc_now(),
            monotonic=monotonic_seconds,
        )
    outcome = "sent" if trial.fate is None else "failed"
    with backend.unit(caller.tenant_id, caller.name) as unit:
        unit.channels.record_test(name, {"outcome": outcome, "reason": trial.reason, "status": trial.status})
    return ChannelTestAnswer(
        outcome=outcome,
        fate=trial.fate,
        reason=trial.reason,
        detail=trial.detail,
        status=trial.status,
        duration_seconds=trial.duration_seconds,
    )


def _channels(request: Request) -> Channels:
    channels: Channels = request.app.state.channels
    return channels


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _answer(
    written: ChannelWithSecret | NotificationChannel, remarks: list[str], headers: dict[str, str] | None = None
) -> Answer:
    """Return what is answered; what is kept for a repetition of the request is without the secret."""
    channel = written.channel if isinstance(written, ChannelWithSecret) else written
    return Answer(
        ChannelChangeAnswer.written(written, remarks),
        channel.version,
        headers or {},
        kept=ChannelChangeAnswer.written(channel, remarks),
    )
