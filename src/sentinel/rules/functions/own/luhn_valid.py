"""luhn_valid: whether a card number's check digit is right (ISO/IEC 7812-1, annex B)."""

from __future__ import annotations

from sentinel.rules.functions.base import RuleFunction, text
from sentinel.rules.types import BOOLEAN

FUNCTION = RuleFunction(
    "luhn_valid",
    (text("number"),),
    BOOLEAN,
    "NOT luhn_valid(user_id)",
    "whether a number of digits, with blanks or hyphens between them, has the right check digit",
    expansion="luhn_check(translate({0}, ' -', ''))",
    own=True,
)
