"""domain_of: the domain of an e-mail address."""

from __future__ import annotations

from sentinel.rules.functions.base import RuleFunction, text, widest
from sentinel.rules.types import STRING

FUNCTION = RuleFunction(
    "domain_of",
    (text("email"),),
    STRING,
    "domain_of(email) = 'example.com'",
    "what stands behind the last @, in lower case; null where there is nothing",
    expansion="when(contains({0}, '@'), nullif(lower(trim(substring_index({0}, '@', -1))), ''))",
    growth=widest,
    own=True,
)
