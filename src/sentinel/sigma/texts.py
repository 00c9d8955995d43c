"""Comparisons of a text with a Sigma value: wildcards, upper and lower case, regular expressions.

Sigma compares texts without case. Both sides are put into lower case: the value here, the field when the rule runs.
That agrees for every letter except that Greek final sigma depends on what stands around it; it is read as sigma on both
sides.
"""

from __future__ import annotations

from collections.abc import Sequence

from sigma.types import Placeholder, SigmaRegularExpression, SigmaRegularExpressionFlag, SigmaString, SpecialChars

from sentinel.rules.literals import text_literal
from sentinel.rules.patterns import PatternError, check_regex
from sentinel.sigma.pieces import Null, Piece, compared, equality

_MANY = SpecialChars.WILDCARD_MULTI
_ONE = SpecialChars.WILDCARD_SINGLE
_LIKE = {_MANY: "%", _ONE: "_"}
_ANY_CHARACTER = "[\\s\\S]"


class ValueProblemError(Exception):
    """A value that cannot be expressed; the message is a sentence."""


def match_text(text: str, value: SigmaString, *, cased: bool) -> Piece:
    """Return the comparison of a text, given as SQL, with a value.

    Raises:
        ValueProblemError: The value holds a placeholder or a NUL.
    """
    parts = _parts(value)
    if not cased:
        text, parts = _without_case(text, parts)
    # A value is most often a plain text with a wildcard at one end or both.
    inner = list(parts)
    starts_open = bool(inner) and inner[0] is _MANY
    inner = inner[1:] if starts_open else inner
    ends_open = bool(inner) and inner[-1] is _MANY
    inner = inner[:-1] if ends_open else inner
    if not inner and starts_open:
        return Piece(f"{_bare(text)} IS NOT NULL", Null.NEVER)
    if all(isinstance(part, str) for part in inner):
        literal = text_literal("".join(str(part) for part in inner))
        if not starts_open and not ends_open:
            return equality(text, literal)
        call = "contains" if starts_open and ends_open else "endswith" if starts_open else "startswith"
        return compared(f"{call}({text}, {literal})")
    pattern = "".join(_LIKE[part] if isinstance(part, SpecialChars) else _like_quoted(part) for part in parts)
    return compared(f"{text} LIKE {text_literal(pattern)}")


def match_fields(text: str, other: str, *, starts: bool, ends: bool) -> Piece:
    """Return the comparison of two texts without case: equal, or one begins with, ends with or holds the other."""
    left, right = f"lower({text})", f"lower({other})"
    if not starts and not ends:
        return compared(f"{left} = {right}")
    call = "contains" if starts and ends else "startswith" if starts else "endswith"
    return compared(f"{call}({left}, {right})")


def match_regex(text: str, value: SigmaRegularExpression) -> Piece:
    """Return whether a regular expression matches somewhere in a text; it counts case unless it says otherwise.

    Raises:
        ValueProblemError: It is outside the language of rules, or may take very long.
    """
    pattern = str(value.regexp)
    flags = value.flags
    if SigmaRegularExpressionFlag.MULTILINE in flags and _has_anchor(pattern):
        raise ValueProblemError("with |re|m the anchors ^ and $ mean ends of lines, which rules do not have")
    if SigmaRegularExpressionFlag.DOTALL in flags:
        pattern = _with_dot_for_all(pattern)
    if SigmaRegularExpressionFlag.IGNORECASE in flags and not pattern.startswith("(?i)"):
        pattern = f"(?i){pattern}"
    try:
        checked = check_regex(pattern)
    except PatternError as refused:
        hint = f" {refused.suggestion}" if refused.suggestion else ""
        raise ValueProblemError(f"at character {refused.at + 1} of the pattern: {refused}{hint}") from refused
    sql = f"{text} RLIKE {text_literal(pattern)}"
    if checked.max_text_length is None:
        return compared(sql)
    return Piece(f"({_bare(text)} IS NOT NULL AND {sql})", Null.UNKNOWN)


def _bare(text: str) -> str:
    """Return what a text is made of, for a test on null."""
    return text.removeprefix("lower(").removesuffix(")") if text.startswith("lower(") else text


def _parts(value: SigmaString) -> list[str | SpecialChars]:
    parts: list[str | SpecialChars] = []
    for part in value.s:
        if isinstance(part, Placeholder):
            raise ValueProblemError(f"the placeholder %{part.name}% stands for values that are not in the rule")
        if isinstance(part, str) and "\x00" in part:
            raise ValueProblemError(
                "the value holds NUL characters (|wide or |utf16 without |base64), which texts lack"
            )
        if not (part is _MANY and parts and parts[-1] is _MANY):
            parts.append(part)
    return parts


def _without_case(text: str, parts: Sequence[str | SpecialChars]) -> tuple[str, list[str | SpecialChars]]:
    """Return both sides in lower case; the field as it is where the value has no letters."""
    lowered = [part.lower().replace("ς", "σ") if isinstance(part, str) else part for part in parts]
    texts = [part for part in parts if isinstance(part, str)]
    if all(part.lower() == part == part.upper() for part in texts):
        return text, list(parts)
    folded = f"lower({text})"
    if any("σ" in part for part in lowered if isinstance(part, str)):
        folded = f"translate({folded}, 'ς', 'σ')"
    return folded, lowered


def _like_quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _has_anchor(pattern: str) -> bool:
    return any(sign in "^$" for sign in _signs(pattern))


def _with_dot_for_all(pattern: str) -> str:
    return "".join(_ANY_CHARACTER if sign == "." else sign for sign in _signs(pattern, whole=True))


def _signs(pattern: str, *, whole: bool = False) -> list[str]:
    """Split a pattern into escapes, classes and single characters; without `whole` only the last of these."""
    signs: list[str] = []
    at = 0
    while at < len(pattern):
        end = at + 1
        if pattern[at] == "\\":
            end = at + 2
        elif pattern[at] == "[":
            end = _end_of_class(pattern, at)
        if whole or end == at + 1:
            signs.append(pattern[at:end])
        at = end
    return signs


def _end_of_class(pattern: str, at: int) -> int:
    end = at + 1
    if pattern[end : end + 1] == "^":
        end += 1
    if pattern[end : end + 1] == "]":
        end += 1
    while end < len(pattern) and pattern[end] != "]":
        end += 2 if pattern[end] == "\\" else 1
    return end + 1
