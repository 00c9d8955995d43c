"""Secrets out of log lines."""

from __future__ import annotations

import pytest

from sentinel.settings import PostgresSettings, Settings
from sentinel.telemetry.redaction import HIDDEN, Redactor

SECRET = "s3cr3tValue0123456789abcdef"
LINES = {
    "a header": f"Authorization: Bearer {SECRET}",
    "a header of a dict": f"{{'authorization': 'Bearer {SECRET}', 'host': 'x'}}",
    "headers of ASGI": f"[(b'authorization', b'Bearer {SECRET}'), (b'host', b'x')]",
    "a header without scheme": f"authorization={SECRET}; next",
    "basic": f"Proxy-Authorization: Basic {SECRET}==",
    "bearer alone": f"sent bearer {SECRET}",
    "a cookie": f"Cookie: session={SECRET}; theme=dark",
    "our key": f"key snt_{SECRET} is unknown",
    "our key in a header": f"X-API-Key: snt_{SECRET}",
    "Standard Webhooks": f"signed with whsec_{SECRET}+/=",
    "Slack": f"token xoxb-123-{SECRET}",
    "a Slack app": f"xapp-1-{SECRET}",
    "Stripe": f"asked with sk_live_{SECRET}",
    "a restricted key of Stripe": f"rk_test_{SECRET}",
    "a URL": f"connecting to redis://default:{SECRET}@10.0.0.1:6379/0",
    "libpq": f"host='x' password='{SECRET}' dbname='y'",
    "JSON": f'{{"client_secret": "{SECRET}", "id": 1}}',
    "a query": f"GET /x?api_key={SECRET}&limit=1",
    "a signature": f"POST https://prod.example/workflows?sig={SECRET} failed",
    "Slack's URL": f"POST https://hooks.slack.com/services/T0/B0/{SECRET} answered 404",
    "Discord's URL": f"https://discord.com/api/webhooks/1/{SECRET}",
    "Teams' URL": f"https://x.webhook.office.com/webhookb2/{SECRET}/IncomingWebhook",
    "a JWT": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{SECRET}",
    "PEM": f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
}


class TestRedactor:
    @pytest.mark.parametrize("line", LINES.values(), ids=list(LINES))
    def test_a_secret_is_hidden(self, line: str) -> None:
        found = Redactor().redacted(f"before {line} after")
        assert SECRET not in found
        assert HIDDEN in found
        assert found.startswith("before ")

    @pytest.mark.parametrize(
        "line",
        [
            "generation 7 serves (schema 1, rule set 3)",
            "https://example.org/a?page=2 answered 503",
            "postgresql://sentinel@10.0.0.1:5432/sentinel refused",
            "task 5 (explain of acme): done, 1.20 s",
            "the author said: authorised",
            "offsets 10-19,25 of topic t.keys",
        ],
    )
    def test_what_is_no_secret_stays(self, line: str) -> None:
        assert Redactor().redacted(line) == line

    def test_what_the_process_was_given_is_hidden_wherever_it_stands(self) -> None:
        known = Redactor(["correct horse battery", "short"])
        assert known.redacted("it says correct horse battery and short") == f"it says {HIDDEN} and short"

    def test_text_around_a_secret_stays(self) -> None:
        line = f"password='{SECRET}' host=db1"
        assert Redactor().redacted(line) == f"password={HIDDEN} host=db1"

    def test_a_long_hostile_line_takes_no_time(self) -> None:
        parts = (
            "authorization: " * 3_000,
            "a://b:" * 6_000,
            "eyJ" * 10_000,
            "-eyJ" * 8_000,
            "password=" * 4_000,
            "-----BEGIN " * 3_000,
        )
        for text in parts:
            assert isinstance(Redactor().redacted(text), str)


class TestSecretsOfSettings:
    def test_every_secret_of_every_group_is_known(self) -> None:
        settings = Settings(postgres=PostgresSettings(app_password="app-password", owner_password="owner-password"))  # type: ignore[arg-type]
        assert {"app-password", "owner-password"} <= settings.secrets
        assert "" not in settings.secrets

    def test_keys_that_are_separated_by_commas_are_known_one_by_one(self) -> None:
        told = Settings.model_validate({"webhooks": {"encryption_key": "first-key,second-key"}})
        assert {"first-key", "second-key"} <= told.secrets
