"""Deliveries as providers sign them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime

from sentinel.domain.webhook import Delivery

STRIPE_SECRET = "whsec_2pYjTnQzKd8sVbLxWmRcHg4u"
STANDARD_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
GITHUB_SECRET = "It's a Secret to Everybody".replace(" ", "_")
TOKEN = "a-token-of-the-provider"


def stripe_header(body: bytes, secret: str = STRIPE_SECRET, at: float | None = None) -> str:
    """Return what Stripe sends in `Stripe-Signature`."""
    signed_at = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), b"%d." % signed_at + body, hashlib.sha256).hexdigest()
    return f"t={signed_at},v1={digest},v0={'0' * 64}"


def stripe_headers(body: bytes, secret: str = STRIPE_SECRET, at: float | None = None) -> dict[str, str]:
    """Return the headers of a delivery of Stripe."""
    return {"Stripe-Signature": stripe_header(body, secret, at), "Content-Type": "application/json"}


def standard_headers(
    body: bytes, identifier: str = "msg_1", secret: str = STANDARD_SECRET, at: float | None = None
) -> dict[str, str]:
    """Return the headers of a delivery by Standard Webhooks, signed without the library."""
    signed_at = int(time.time() if at is None else at)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{identifier}.{signed_at}.".encode() + body, hashlib.sha256).digest()
    return {
        "Webhook-Id": identifier,
        "Webhook-Timestamp": str(signed_at),
        "Webhook-Signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def github_headers(
    body: bytes, identifier: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958", secret: str = GITHUB_SECRET
) -> dict[str, str]:
    """Return the headers of a delivery of GitHub."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-Hub-Signature-256": f"sha256={digest}",
        "X-GitHub-Delivery": identifier,
        "X-GitHub-Event": "pull_request",
    }


def delivery(body: bytes, headers: dict[str, str], *, at: datetime | None = None) -> Delivery:
    """Return a delivery as the endpoint hands it on."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return Delivery(lowered, body, len(body), "192.0.2.1", at or datetime.now(UTC))
