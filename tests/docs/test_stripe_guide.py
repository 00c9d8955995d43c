"""The guide to webhooks: its commands run as they are printed, and its tables are complete."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from typing import Any

import pytest

from config_api.app import create_app
from sentinel.domain.stripe_event import STRIPE_FIELDS
from sentinel.domain.webhook import RefusalReason, WebhookKind
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.testing.http import serve
from tests.support.stripe_api import API_KEY, StripeApi, stripe_event

GUIDE = (PROJECT_ROOT / "docs" / "stripe.md").read_text()
COMMANDS = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL))
ORDER = ("source", "secret", "rule", "deliver", "rotate", "look", "key", "backfill", "others")


def test_every_reason_field_and_kind_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", GUIDE))
    assert {reason.value for reason in RefusalReason} <= named
    assert {field.name for field in STRIPE_FIELDS} <= named
    assert {kind.value for kind in WebhookKind} <= named


@pytest.mark.integration
@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="curl or openssl is not there")
def test_the_commands_run(settings: Settings, tenant: str) -> None:
    assert tuple(COMMANDS) == ORDER
    answers: dict[str, list[Any]] = {}
    account = StripeApi([stripe_event(7, int(time.time()) - 60)])
    with serve(account.app) as stripe_url, serve(create_app(asking(settings, tenant, stripe_url))) as url:
        ids: dict[str, str] = {}
        for name, text in COMMANDS.items():
            command = text.replace("localhost:8000", url)
            for kind, found in ids.items():
                command = re.sub(rf"/{kind}/1\b", f"/{kind}/{found}", command)
            done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=True)
            answers[name] = decoded(done.stdout)
            if name == "source":
                ids["api/webhook-sources"] = str(answers[name][0]["id"])
                ids["pipelines"] = str(answers[name][0]["pipeline_id"])
            if name == "secret":
                ids["secrets"] = str(answers[name][0]["secrets"][0]["id"])
    assert account.misfits == []
    told = re.search(r"^```json\n(.*?)```", GUIDE, re.MULTILINE | re.DOTALL)
    assert told is not None
    assert answers["deliver"] == [json.loads(told[1])]
    assert [len(answer["secrets"]) for answer in answers["rotate"]] == [2, 1]
    events, attempts, counts, conflicts = answers["look"]
    assert [event["event_id"] for event in events] == ["evt_1"]
    assert attempts == counts == conflicts == []
    assert answers["key"][0]["api_key_hint"] == API_KEY[-4:]
    assert (answers["backfill"][0]["stored"], answers["backfill"][0]["is_complete"]) == (1, True)
    assert answers["others"][3] == {"status": "stored", "event_id": "7"}
    assert answers["rule"][0]["id"]


def asking(settings: Settings, tenant: str, stripe_url: str) -> Settings:
    """Return the settings of an API that asks a stand-in of Stripe."""
    webhooks = settings.webhooks.model_copy(update={"stripe_api_base": stripe_url})
    return settings.model_copy(update={"tenant": tenant, "webhooks": webhooks})


def decoded(text: str) -> list[Any]:
    """Return the JSON documents that stand one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found
