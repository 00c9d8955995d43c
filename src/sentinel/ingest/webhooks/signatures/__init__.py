"""The ways to sign that are known, one per file."""

from __future__ import annotations

from sentinel.domain.webhook import WebhookKind
from sentinel.ingest.webhooks.signatures.base import Scheme
from sentinel.ingest.webhooks.signatures.github import GithubScheme
from sentinel.ingest.webhooks.signatures.standard import StandardScheme
from sentinel.ingest.webhooks.signatures.stripe import StripeScheme
from sentinel.ingest.webhooks.signatures.token import TokenScheme

SCHEMES: dict[WebhookKind, Scheme] = {
    WebhookKind.STRIPE: StripeScheme(),
    WebhookKind.STANDARD: StandardScheme(),
    WebhookKind.GITHUB: GithubScheme(),
    WebhookKind.TOKEN: TokenScheme(),
}
