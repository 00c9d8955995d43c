"""Check regular expressions and LIKE patterns: their syntax, and how their cost grows with the text.

Regular expressions are a subset that Java, RE2 (DuckDB) and Python read alike: no backreferences, look-around,
possessive or atomic parts, no nested classes. Java backtracks: a pattern's cost on a hostile text of n characters may
grow like n^k or 2^n. The bound here is conservative (after Weideman et al. 2016, "Analyzing matching time behavior of
backtracking regular expression matchers"): inside a repetition every choice must be decided by the next character,
which rules out 2^n; each repetition that the next character does not end counts one to k, and so do the scan itself
and searching for the start. `max_text_length` says up to what length a text is matched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sentinel.rules.limits import (
    MAX_GROUP_LOOP_TEXT,
    MAX_PATTERN_DEGREE,
    MAX_PATTERN_LENGTH,
    MAX_REPEAT,
    PATTERN_BUDGET,
)

_ASCII = frozenset(range(128))
_OTHER = 128  # stands for every character beyond ASCII
_ALL = _ASCII | {_OTHER}
_CLASSES = {
    "d": frozenset(range(48, 58)),
    "w": frozenset([*range(48, 58), *range(65, 91), 95, *range(97, 123)]),
    "s": frozenset([9, 10, 11, 12, 13, 32]),
}
_CONTROL = {"t": 9, "n": 10, "r": 13, "f": 12}
_WIDE = 8  # a repetition whose count varies by more than this is treated like an unbounded one
_MAX_NESTING = 20


class PatternError(ValueError):
    """The pattern is refused; `at` is the character of the pattern (not of the rule) it is about."""

    def __init__(self, at: int, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.at = at
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True)
class Pattern:
    """An accepted regular expression.

    Attributes:
        groups: Number of capturing groups.
        max_text_length: Longest text, in characters, that it may be matched against; None: any.
    """

    groups: int
    max_text_length: int | None


@dataclass(frozen=True, slots=True)
class _Part:
    """What the analysis keeps of a part of the pattern.

    Attributes:
        first: Characters it may begin with.
        nullable: Whether it may match nothing.
        degree: Number of repetitions that the next character does not end.
        loops: Number of open repetitions after each other.
        deterministic: Whether the next character decides every choice inside it.
        last_loop: Characters an open repetition at its end may go on with; empty: there is none.
        loops_group: Whether it repeats a group, for which Java recurses.
    """

    first: frozenset[int] = frozenset()
    nullable: bool = True
    degree: int = 0
    loops: int = 0
    deterministic: bool = True
    last_loop: frozenset[int] = frozenset()
    loops_group: bool = False


def check_regex(pattern: str) -> Pattern:
    """Return what is known of a regular expression.

    Raises:
        PatternError: It is outside the subset, or may backtrack catastrophically.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise PatternError(0, f"The pattern is longer than {MAX_PATTERN_LENGTH} characters.")
    reader = _Reader(pattern)
    part = reader.whole()
    degree = part.degree + (1 if part.loops > part.degree else 0) + (0 if reader.anchored else 1)
    if degree > MAX_PATTERN_DEGREE:
        raise PatternError(
            0,
            "The pattern has too many open repetitions after each other: on some texts it would take very long.",
            "Anchor it with ^, drop a leading .* (a match may begin anywhere), or write what ends a repeated part.",
        )
    limit = None if degree <= 1 else int(PATTERN_BUDGET ** (1 / degree))
    if part.loops_group:
        limit = min(limit or MAX_GROUP_LOOP_TEXT, MAX_GROUP_LOOP_TEXT)
    return Pattern(reader.groups, limit)


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.groups = 0
        self.nesting = 0
        self.ignore_case = False
        self.anchored = False

    def peek(self, ahead: int = 0) -> str:
        index = self.at + ahead
        return self.pattern[index] if index < len(self.pattern) else ""

    def whole(self) -> _Part:
        if self.pattern.startswith("(?i)"):
            self.ignore_case = True
            self.at = 4
        self.anchored = self.peek() == "^" and "|" not in self.pattern
        part = self.alternatives()
        if self.at < len(self.pattern):
            raise PatternError(self.at, "The pattern has a ) without (.", r"Write \) for the character itself.")
        return part

    def alternatives(self) -> _Part:
        branches = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            branches.append(self.sequence())
        if len(branches) == 1:
            return branches[0]
        disjoint = sum(len(branch.first) for branch in branches) == len(frozenset().union(*(b.first for b in branches)))
        nullable = any(branch.nullable for branch in branches)
        return _Part(
            first=frozenset().union(*(branch.first for branch in branches)),
            nullable=nullable,
            degree=max(branch.degree for branch in branches),
            loops=sum(branch.loops for branch in branches),
            deterministic=disjoint and not nullable and all(branch.deterministic for branch in branches),
            last_loop=frozenset().union(*(branch.last_loop for branch in branches)),
            loops_group=any(branch.loops_group for branch in branches),
        )

    def sequence(self) -> _Part:
        whole = _Part()
        while self.peek() not in ("", "|", ")"):
            whole = _joined(whole, self.repeated())
        return whole

    def repeated(self) -> _Part:
        start = self.at
        is_group = self.peek() == "("
        atom = self.atom()
        bounds = self.quantifier()
        if bounds is None:
            return atom
        low, high = bounds
        if not atom.first and atom.nullable:
            raise PatternError(start, "A position such as ^ or \\b is repeated.", "Remove the repetition.")
        if self.peek() and self.peek() in "*+{":
            raise PatternError(self.at, "A repetition is repeated.", "Put the inner one into a group, or remove one.")
        ambiguous = atom.nullable or not atom.deterministic or bool(atom.last_loop & atom.first)
        if ambiguous and (high is None or high > 1):
            raise PatternError(
                start,
                f"{self.pattern[start : self.at]!r} repeats a part that can match the same text in several ways; "
                "on some texts that takes very long.",
                "Separate what repeats, as in (\\d+,)*, so that the next character decides, or drop a repetition.",
            )
        wide = high is None or high - low > _WIDE
        return _Part(
            first=atom.first,
            nullable=low == 0 or atom.nullable,
            degree=atom.degree,
            loops=atom.loops + (1 if wide else 0),
            deterministic=atom.deterministic,
            last_loop=atom.last_loop | (atom.first if low != high else frozenset()),
            loops_group=atom.loops_group or (is_group and wide),
        )

    def quantifier(self) -> tuple[int, int | None] | None:
        bounds: tuple[int, int | None]
        if self.peek() in ("*", "+", "?"):
            bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}[self.peek()]
            self.at += 1
        elif self.peek() == "{":
            found = re.compile(r"\{(\d{1,9})(?:(,)(\d{1,9})?)?\}").match(self.pattern, self.at)
            if found is None:
                raise PatternError(self.at, "A { here begins a count such as {2,5}.", r"Write \{ for the character.")
            low = int(found.group(1))
            high = int(found.group(3)) if found.group(3) else None if found.group(2) else low
            if max(low, high or 0) > MAX_REPEAT or (high is not None and high < low):
                raise PatternError(self.at, f"The count {found.group()} is not within 0..{MAX_REPEAT}, in order.")
            bounds = (low, high)
            self.at = found.end()
        else:
            return None
        if self.peek() == "?":
            self.at += 1
        elif self.peek() == "+":
            raise PatternError(self.at, "Possessive repetitions are not part of the language.", "Remove the +.")
        return bounds

    def atom(self) -> _Part:
        character = self.peek()
        if character == "(":
            return self.group()
        if character == "[":
            return self.character_class()
        if character in "^$":
            self.at += 1
            return _Part()
        if character in "*+?{":
            raise PatternError(self.at, f"Nothing stands before {character} to repeat.", rf"Write \{character} for it.")
        if character == "\\":
            if self.peek(1) in ("b", "B"):
                self.at += 2
                return _Part()
            return _one(self.escape())
        self.at += 1
        return _one(_ALL - {10, 13} if character == "." else self.cased({_code(character)}))

    def group(self) -> _Part:
        opening = self.at
        self.at += 1
        self.nesting += 1
        if self.nesting > _MAX_NESTING:
            raise PatternError(opening, f"Groups are nested more than {_MAX_NESTING} levels deep.")
        if self.pattern.startswith("?:", self.at):
            self.at += 2
        elif self.peek() == "?":
            raise PatternError(
                opening,
                "Look-around, named groups and flags inside are not part of the language.",
                "Use ( ), (?: ) or (?i) at the very beginning.",
            )
        else:
            self.groups += 1
        part = self.alternatives()
        if self.peek() != ")":
            raise PatternError(opening, "The ( is never closed.", r"Write \( for the character itself.")
        self.at += 1
        self.nesting -= 1
        return part

    def escape(self) -> frozenset[int]:
        letter = self.peek(1)
        if not letter:
            raise PatternError(self.at, "The pattern ends with a backslash.", r"Write \\ for the character itself.")
        self.at += 2
        if letter.lower() in _CLASSES:
            found = _CLASSES[letter.lower()]
            return found if letter.islower() else _ALL - found
        if letter in _CONTROL:
            return frozenset({_CONTROL[letter]})
        if letter.isalnum() or not letter.isascii():
            raise PatternError(
                self.at - 2,
                f"\\{letter} is not part of the language.",
                r"Known are \d \w \s \D \W \S \b \B \t \n \r \f and \ before a sign.",
            )
        return frozenset({_code(letter)})

    def cased(self, codes: set[int]) -> frozenset[int]:
        if not self.ignore_case:
            return frozenset(codes)
        both = {ord(chr(code).upper()) for code in codes if code != _OTHER and len(chr(code).upper()) == 1}
        both |= {ord(chr(code).lower()) for code in codes if code != _OTHER}
        return frozenset(codes | {min(code, _OTHER) for code in both})

    def character_class(self) -> _Part:
        opening = self.at
        self.at += 1
        negated = self.peek() == "^"
        self.at += negated
        members: set[int] = set()
        while self.peek() != "]" or self.at == opening + 1 + negated:
            if not self.peek() or self.peek() == "]":
                raise PatternError(opening, "The [ is never closed, or the class is empty.", r"Write \[ for it.")
            if self.peek() == "[" or self.pattern.startswith("&&", self.at):
                raise PatternError(self.at, "Classes within classes are not part of the language.", r"Write \[ or \&.")
            low = self.class_member()
            if self.peek() == "-" and self.peek(1) not in ("]", ""):
                self.at += 1
                high = self.class_member()
                if len(low) > 1 or len(high) > 1 or min(low) > min(high):
                    raise PatternError(opening, "A range in [ ] is not in order.", r"Write \- for the character.")
                low = frozenset(range(min(low), min(high) + 1))
            members |= low
        self.at += 1
        found = self.cased(members)
        return _one(_ALL - (found - {_OTHER}) if negated else found)

    def class_member(self) -> frozenset[int]:
        if self.peek() == "\\":
            return self.escape()
        character = self.peek()
        self.at += 1
        return frozenset({_code(character)})


def _code(character: str) -> int:
    return min(ord(character), _OTHER)


def _one(characters: frozenset[int]) -> _Part:
    return _Part(first=characters, nullable=False)


def _joined(left: _Part, right: _Part) -> _Part:
    """Return the analysis of two parts in sequence."""
    ambiguous = bool(left.last_loop & right.first)
    # An open repetition at the end of the left part that the next character does not end may stop anywhere in between.
    return _Part(
        first=left.first | right.first if left.nullable else left.first,
        nullable=left.nullable and right.nullable,
        degree=left.degree + right.degree + (1 if ambiguous else 0),
        loops=left.loops + right.loops,
        deterministic=left.deterministic and right.deterministic and not ambiguous,
        last_loop=right.last_loop | (left.last_loop if right.nullable else frozenset()),
        loops_group=left.loops_group or right.loops_group,
    )


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
