"""LIKE patterns, evaluated without quadratic cost."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel.rules.limits import MAX_PATTERN_LENGTH
from sentinel.rules.patterns import PatternError


@dataclass(frozen=True, slots=True)
class LikePattern:
    """An accepted LIKE pattern.

    Attributes:
        regex: An equal regular expression without backtracking beyond one segment; None: LIKE itself is cheap.
    """

    regex: str | None


def check_like(pattern: str, *, ignore_case: bool) -> LikePattern:
    """Return how to evaluate a LIKE pattern without quadratic cost.

    `%a%b%` becomes a regular expression in which every segment is found once, at its leftmost place, and never again
    (atomic groups); since a segment has a fixed length, the leftmost place is as good as any.

    Raises:
        PatternError: A backslash stands before something other than %, _ or a backslash, which Spark refuses.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise PatternError(0, f"The pattern is longer than {MAX_PATTERN_LENGTH} characters.")
    segments = [""]
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            if pattern[at + 1 : at + 2] not in ("%", "_", "\\") or at + 1 >= len(pattern):
                raise PatternError(at, "In a LIKE pattern a backslash stands before %, _ or a backslash.", "Double it.")
            at += 1
            segments[-1] += _quoted(pattern[at])
        elif character == "%":
            segments.append("")
        elif character == "_":
            segments[-1] += "."
        else:
            segments[-1] += _quoted(character)
        at += 1
    inner = [segment for segment in segments[1:-1] if segment]
    if len(inner) + (1 if len(segments) > 1 and segments[-1] else 0) < 2:
        return LikePattern(None)
    if ignore_case and not pattern.isascii():
        raise PatternError(0, "ILIKE with several % takes plain ASCII only.", "Use lower(x) LIKE '...'.")
    flags = "(?is)" if ignore_case else "(?s)"
    found = "".join(f"(?>.*?{segment})" for segment in inner)
    end = f".*{segments[-1]}\\z" if segments[-1] else ""
    return LikePattern(f"{flags}\\A{segments[0]}{found}{end}")


def _quoted(character: str) -> str:
    return character if character.isalnum() or character in " _" or not character.isascii() else "\\" + character
