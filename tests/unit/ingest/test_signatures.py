"""Signatures: what is taken, what is refused and why, and that nothing else comes of whatever is sent."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.domain.webhook import RefusalReason, TokenOptions, WebhookKind
from sentinel.ingest.webhooks.signatures import SCHEMES
from sentinel.ingest.webhooks.signatures.base import Refused
from sentinel.ingest.webhooks.signatures.token import value_at
from tests.support.webhooks import (
    GITHUB_SECRET,
    STANDARD_SECRET,
    STRIPE_SECRET,
    TOKEN,
    delivery,
    github_headers,
    standard_headers,
    stripe_header,
)

BODY = b'{"id": "evt_1", "type": "charge.succeeded", "created": 1700000000}'
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
AT = NOW.timestamp()
PLAIN = TokenOptions()
OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()


def outcome(
    kind: WebhookKind,
    headers: dict[str, str],
    secrets: tuple[str, ...],
    *,
    body: bytes = BODY,
    options: TokenOptions = PLAIN,
) -> str:
    """Return "taken", or why it was refused."""
    try:
        SCHEMES[kind].verify(delivery(body, headers), secrets, options, NOW)
    except Refused as refused:
        return refused.reason.value
    return "taken"


def stripe(header: str | None, *secrets: str, body: bytes = BODY) -> str:
    """Return what becomes of a delivery of Stripe."""
    headers = {} if header is None else {"Stripe-Signature": header}
    return outcome(WebhookKind.STRIPE, headers, secrets or (STRIPE_SECRET,), body=body)


RIGHT = stripe_header(BODY, at=AT)
V1 = RIGHT.split(",")[1]


class TestStripe:
    def test_what_is_signed_is_taken_with_any_secret(self) -> None:
        assert stripe(RIGHT) == "taken"
        assert stripe(RIGHT, OTHER, STRIPE_SECRET) == "taken"
        assert stripe(RIGHT, OTHER) == "bad_signature"

    def test_any_of_several_signatures_does(self) -> None:
        both = f"{stripe_header(BODY, OTHER, AT)},{V1}"
        assert stripe(both) == "taken"

    def test_another_body_is_not(self) -> None:
        assert stripe(RIGHT, body=BODY + b" ") == "bad_signature"
        assert stripe(RIGHT, body=b"\xff" + BODY) == "bad_signature"

    @pytest.mark.parametrize(
        ("away", "expected"),
        [
            (0, "taken"),
            (-300, "taken"),
            (300, "taken"),
            (-301, "too_old"),
            (301, "in_future"),
            (-86_400 * 365, "too_old"),
            (86_400 * 365, "in_future"),
        ],
    )
    def test_the_time_may_be_300_seconds_away(self, away: int, expected: str) -> None:
        assert stripe(stripe_header(BODY, at=AT + away)) == expected

    def test_a_forged_time_is_a_bad_signature_whatever_it_is(self) -> None:
        for away in (-1000, 1, 1000):
            assert stripe(f"t={int(AT) + away},{V1}") == "bad_signature"

    @pytest.mark.parametrize(
        "header",
        [
            "t=,v1=",
            "t",
            "v1",
            "=",
            ",",
            "t=1",
            V1,
            f"t=abc,{V1}",
            f"t=-1,{V1}",
            f"t=1e9,{V1}",
            f"t={int(AT)}.0,{V1}",
            f"t=1_777_636_800,{V1}",
            f"t={'9' * 400},{V1}",
            f"t={int(AT)},t={int(AT)},{V1}",
            f"t={int(AT)},{V1},",
            f"t={int(AT)}, {V1}",
            f"t={int(AT)};{V1}",
            f"t={int(AT)},v1={'a' * 5000}",
            f"t={int(AT)},v0={'0' * 64}",
            f"T={int(AT)},{V1.upper()}",
            f"t={int(AT)}," + ",".join([V1] * 50),
            f"t=\u0661\u0662\u0663,{V1}",
            f"t={int(AT)},v1=\u00e9\u00e9",
            f"t={int(AT)},v1=\x00",
            f"{RIGHT},{RIGHT}",
        ],
    )
    def test_a_malformed_header_is_named(self, header: str) -> None:
        assert stripe(header) == "malformed_header"

    def test_a_missing_header_is_named(self) -> None:
        assert stripe(None) == "missing_header"
        assert stripe("") == "missing_header"

    def test_content_is_the_same_whatever_the_count_of_open_deliveries(self) -> None:
        scheme = SCHEMES[WebhookKind.STRIPE]
        first = {"id": "evt_1", "type": "t", "created": 1700000000, "pending_webhooks": 2}
        again = {"pending_webhooks": 0, "type": "t", "created": 1700000000, "id": "evt_1"}
        other = {**first, "type": "u"}
        found = [scheme.identify(delivery(b"", {}), body, PLAIN) for body in (first, again, other)]
        assert found[0] == found[1]
        assert found[0].content_hash != found[2].content_hash
        assert found[0].occurred_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)

    @pytest.mark.parametrize("bad", [None, "", "x" * 256, "a\x00b", "a\nb", True, 1.5, {}, []])
    def test_what_names_no_event_is_refused(self, bad: object) -> None:
        with pytest.raises(Refused) as refused:
            SCHEMES[WebhookKind.STRIPE].identify(delivery(b"{}", {}), {"id": bad}, PLAIN)
        assert refused.value.reason is RefusalReason.NO_EVENT_ID

    def test_the_deepest_body_that_is_read_is_identified(self) -> None:
        deep: dict[str, object] = {"id": "evt_1"}
        for _ in range(900):
            deep = {"id": "evt_1", "in": deep}
        body = delivery(b"body", {})
        assert SCHEMES[WebhookKind.STRIPE].identify(body, deep, PLAIN).content_hash == body.body_hash


class TestStandard:
    def test_what_is_signed_is_taken(self) -> None:
        headers = standard_headers(BODY, at=AT)
        assert outcome(WebhookKind.STANDARD, headers, (OTHER, STANDARD_SECRET)) == "taken"
        assert outcome(WebhookKind.STANDARD, headers, (OTHER,)) == "bad_signature"
        assert outcome(WebhookKind.STANDARD, headers, (STANDARD_SECRET,), body=b"\xff") == "bad_signature"
        rotated = {**headers, "Webhook-Signature": f"v1,{'A' * 44} v2,new {headers['Webhook-Signature']}"}
        assert outcome(WebhookKind.STANDARD, rotated, (STANDARD_SECRET,)) == "taken"

    def test_the_id_is_signed(self) -> None:
        headers = {**standard_headers(BODY, at=AT), "Webhook-Id": "msg_2"}
        assert outcome(WebhookKind.STANDARD, headers, (STANDARD_SECRET,)) == "bad_signature"

    @pytest.mark.parametrize(("away", "expected"), [(-301, "too_old"), (301, "in_future"), (299, "taken")])
    def test_the_time_may_be_300_seconds_away(self, away: int, expected: str) -> None:
        headers = standard_headers(BODY, at=AT + away)
        assert outcome(WebhookKind.STANDARD, headers, (STANDARD_SECRET,)) == expected

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("Webhook-Id", "", "missing_header"),
            ("Webhook-Timestamp", "", "missing_header"),
            ("Webhook-Signature", "", "missing_header"),
            ("Webhook-Timestamp", "now", "malformed_header"),
            ("Webhook-Timestamp", "nan", "malformed_header"),
            ("Webhook-Timestamp", f"{AT}", "malformed_header"),
            ("Webhook-Timestamp", "9" * 20, "malformed_header"),
            ("Webhook-Signature", "v1", "malformed_header"),
            ("Webhook-Signature", "v1,", "malformed_header"),
            ("Webhook-Signature", "v1,a,b", "malformed_header"),
            ("Webhook-Signature", "v1,abc", "malformed_header"),
            ("Webhook-Signature", "v1a,AAAA", "malformed_header"),
            ("Webhook-Signature", "v1,é", "malformed_header"),
            ("Webhook-Signature", "v1,AAAA", "bad_signature"),
        ],
    )
    def test_what_is_wrong_with_a_header_is_named(self, name: str, value: str, expected: str) -> None:
        headers = {**standard_headers(BODY, at=AT), name: value}
        assert outcome(WebhookKind.STANDARD, headers, (STANDARD_SECRET,)) == expected

    def test_it_says_what_it_is(self) -> None:
        body = {"type": "invoice.paid", "timestamp": "2026-05-01T14:00:00+02:00"}
        found = SCHEMES[WebhookKind.STANDARD].identify(delivery(b"x", standard_headers(b"x")), body, PLAIN)
        assert (found.event_id, found.event_type, found.occurred_at) == ("msg_1", "invoice.paid", NOW)


class TestGithub:
    def test_the_example_of_their_documentation_is_taken(self) -> None:
        headers = {
            "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        }
        secrets = ("It's a Secret to Everybody",)
        assert outcome(WebhookKind.GITHUB, headers, secrets, body=b"Hello, World!") == "taken"
        assert outcome(WebhookKind.GITHUB, headers, secrets, body=b"Hello, World?") == "bad_signature"

    @pytest.mark.parametrize("value", ["sha256=", "sha1=757107ea", "757107ea", f"sha256={'g' * 64}", "sha256=é"])
    def test_a_malformed_header_is_named(self, value: str) -> None:
        headers = {**github_headers(BODY), "X-Hub-Signature-256": value}
        assert outcome(WebhookKind.GITHUB, headers, (GITHUB_SECRET,)) == "malformed_header"

    def test_it_says_what_it_is(self) -> None:
        scheme = SCHEMES[WebhookKind.GITHUB]
        sent = delivery(BODY, github_headers(BODY, "d-1"))
        assert scheme.identify(sent, {"action": "opened"}, PLAIN).event_type == "pull_request.opened"
        assert scheme.identify(sent, {}, PLAIN).event_type == "pull_request"
        assert scheme.identify(sent, {}, PLAIN).event_id == "d-1"
        with pytest.raises(Refused, match="missing_header"):
            scheme.identify(delivery(BODY, {"X-GitHub-Event": "push"}), {}, PLAIN)


class TestToken:
    @pytest.mark.parametrize(
        ("header", "headers", "expected"),
        [
            ("", {"Authorization": f"Bearer {TOKEN}"}, "taken"),
            ("", {"Authorization": f"bearer {TOKEN}"}, "taken"),
            ("", {"Authorization": f"Basic {TOKEN}"}, "malformed_header"),
            ("", {"Authorization": TOKEN}, "malformed_header"),
            ("", {"Authorization": f"Bearer {TOKEN}x"}, "bad_signature"),
            ("", {}, "missing_header"),
            ("X-Api-Token", {"X-Api-Token": TOKEN}, "taken"),
            ("X-Api-Token", {"X-Api-Token": "é"}, "malformed_header"),
            ("X-Api-Token", {"Authorization": f"Bearer {TOKEN}"}, "missing_header"),
        ],
    )
    def test_the_token_is_where_it_is_told(self, header: str, headers: dict[str, str], expected: str) -> None:
        options = TokenOptions(header=header)
        assert outcome(WebhookKind.TOKEN, headers, (OTHER, TOKEN), options=options) == expected

    def test_ids_are_where_the_pointer_leads(self) -> None:
        scheme = SCHEMES[WebhookKind.TOKEN]
        options = TokenOptions(id_pointer="/data/0/id", type_pointer="/kind")
        found = scheme.identify(delivery(b"x", {}), {"data": [{"id": 7}], "kind": "k"}, options)
        assert (found.event_id, found.event_type) == ("7", "k")
        with pytest.raises(Refused, match="no_event_id"):
            scheme.identify(delivery(b"x", {}), {"data": []}, options)

    def test_without_a_pointer_equal_bodies_are_one_event(self) -> None:
        scheme = SCHEMES[WebhookKind.TOKEN]
        found = [scheme.identify(delivery(body, {}), {}, PLAIN).event_id for body in (b"a", b"a", b"b")]
        assert found[0] == found[1] != found[2]

    @pytest.mark.parametrize(
        ("pointer", "value"),
        [("/a~1b", 1), ("/m~0n", 2), ("/list/1", 4), ("/list/9", None), ("/list/-", None), ("/a/b", None), ("/", 5)],
    )
    def test_pointers_are_those_of_the_standard(self, pointer: str, value: object) -> None:
        assert value_at({"a/b": 1, "m~n": 2, "list": [3, 4], "": 5}, pointer) == value


TEXTS = st.text(st.characters(max_codepoint=255), max_size=60)
LIKELY = st.sampled_from(["t=1", f"t={int(AT)}", "v1=", V1, ",", "=", " ", "v1,", "sha256=", "Bearer ", "a" * 64, "é"])
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "stripe-signature",
            "webhook-id",
            "webhook-timestamp",
            "webhook-signature",
            "x-hub-signature-256",
            "x-github-event",
            "x-github-delivery",
            "authorization",
        ]
    ),
    TEXTS | st.lists(LIKELY, max_size=6).map("".join) | st.integers().map(str),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
SECRETS = {
    WebhookKind.STRIPE: STRIPE_SECRET,
    WebhookKind.STANDARD: STANDARD_SECRET,
    WebhookKind.GITHUB: GITHUB_SECRET,
    WebhookKind.TOKEN: TOKEN,
}


@pytest.mark.parametrize("kind", WebhookKind)
class TestWhateverIsSent:
    @given(headers=HEADERS, body=st.binary(max_size=40))
    def test_nothing_but_a_refusal_comes_of_it(self, kind: WebhookKind, headers: dict[str, str], body: bytes) -> None:
        assert outcome(kind, headers, (SECRETS[kind],), body=body) != "taken"

    @given(headers=HEADERS, body=st.dictionaries(st.sampled_from(["id", "type", "created", "action"]), VALUES))
    def test_what_names_itself_can_be_stored(
        self, kind: WebhookKind, headers: dict[str, str], body: dict[str, object]
    ) -> None:
        options = TokenOptions(id_pointer="/id", type_pointer="/type") if kind is WebhookKind.TOKEN else PLAIN
        try:
            found = SCHEMES[kind].identify(delivery(b"{}", headers), body, options)
        except Refused:
            return
        assert 1 <= len(found.event_id) <= 255
        assert (found.event_id + found.event_type).isprintable()
        assert found.occurred_at is None or found.occurred_at.tzinfo is not None
