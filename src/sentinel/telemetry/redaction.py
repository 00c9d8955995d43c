"""Secrets out of texts, before anybody writes them down."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "***"
# Shorter ones would be found in ordinary words.
LEAST_CHARACTERS = 8

# Each quantifier is bounded, or what it takes is not looked at again where the rest does not follow: linear time.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # Headers, in any of the ways in which they are printed.
        (
            r"(\b(?:proxy-)?authorization\b['\"]?[\s,:=]{1,4}(?:b(?=['\"]))?['\"]?(?:(?:bearer|basic|token|digest|aws4-hmac-sha256)\s{1,4})?)"
            r"[^\s'\",;)\]}]+",
            rf"\g<1>{HIDDEN}",
        ),
        (r"(\bbearer\s{1,4})[a-z0-9._~+/=-]{8,}", rf"\g<1>{HIDDEN}"),
        (r"(\b(?:set-)?cookie\b['\"]?\s{0,2}[:=]\s{0,2})[^\r\n]+", rf"\g<1>{HIDDEN}"),
        # Keys that say by their beginning what they are: ours, Standard Webhooks', Slack's, Stripe's, AWS', GitHub's.
        (r"\b(snt_)[a-z0-9_-]{4,}", rf"\g<1>{HIDDEN}"),
        (r"\b(wh(?:sec|sk)_)[a-z0-9+/=_-]{4,}", rf"\g<1>{HIDDEN}"),
        (r"\b(xox[a-z]-|xapp-)[a-z0-9-]{4,}", rf"\g<1>{HIDDEN}"),
        (r"\b((?:sk|rk)_(?:live|test)_)[a-z0-9]{4,}", rf"\g<1>{HIDDEN}"),
        (r"\b(AKIA|ASIA)[A-Z0-9]{16}\b", rf"\g<1>{HIDDEN}"),
        (r"\b(gh[pousr]_|github_pat_)[a-z0-9_]{16,}", rf"\g<1>{HIDDEN}"),
        (r"(?<![\w-])eyJ[a-z0-9_-]{8,}\.[a-z0-9_-]{8,}\.[a-z0-9_-]{8,}", HIDDEN),
        # URLs: a password before the host, and those whose path is the secret.
        (r"\b([a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"]{0,200}:)[^\s/@'\"]{1,500}(?=@)", rf"\g<1>{HIDDEN}"),
        (r"(hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/)[^\s'\"<>]+", rf"\g<1>{HIDDEN}"),
        (r"(discord(?:app)?\.com/api/webhooks/)[^\s'\"<>]+", rf"\g<1>{HIDDEN}"),
        (r"(webhook\.office\.com/)[^\s'\"<>]+", rf"\g<1>{HIDDEN}"),
        # name=value and "name": "value", whatever is around the word that says it is a secret.
        (
            r"((?:password|passwd|passphrase|secret|api[_-]?key|apikey|access[_-]?key|private[_-]?key|encryption[_-]?key"
            r"|routing[_-]?key|client[_-]?secret|token|credential|signature|\bsig)s?['\"]?\s{0,2}[=:]\s{0,2})"
            r"(?:b?'[^']{1,2000}'|b?\"[^\"]{1,2000}\"|[^\s'\",;&)\]}]+)",
            rf"\g<1>{HIDDEN}",
        ),
        (r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,10000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?", HIDDEN),
    )
)


class Redactor:
    """Takes secrets out of texts: what looks like one, and the ones that this process was given.

    Args:
        secrets: Texts that must not appear; those of fewer than `LEAST_CHARACTERS` are left to the patterns.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        longest_first = sorted({each for each in secrets if len(each) >= LEAST_CHARACTERS}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def redacted(self, text: str) -> str:
        """Return the text without secrets; what is said around them stays."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text
