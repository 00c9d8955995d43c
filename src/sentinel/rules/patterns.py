"""Check regular expressions and LIKE patterns: their syntax, and how their cost grows with the text.

Regular expressions are a subset that Java, RE2 (DuckDB) and Python read alike: no backreferences, look-around,
possessive or atomic parts, no nested classes. Java backtracks: a pattern's cost on a hostile text of n characters may
grow like n^k or 2^n. The bound here is conservative (after Weideman et al. 2016, "Analyzing matching time behavior of
backtracking regular expression matchers"): inside a repetition every choice must be decided by the next character,
which rules out 2^n; each open repetition that the next character does not end counts one to k, and so do the scan
itself and searching for the start; one whose count is bounded multiplies the cost by that bound instead. Where the
first open repetition cannot run over a place at which a match could begin, as in `[.]exe +`, it and the search for the
start count once. `max_text_length` says up to what length a text is matched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod

from sentinel.rules.limits import (
    MAX_GROUP_LOOP_TEXT,
    MAX_LINEAR_FACTOR,
    MAX_PATTERN_DEGREE,
    MAX_PATTERN_LENGTH,
    MAX_REPEAT,
    MIN_TEXT,
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
        last_loops: Of the repetitions at its end, the characters each may go on with and between how many counts it
            may end; None: it is open.
        loops_group: Whether it repeats a group, for which Java recurses.
        spans: Of the bounded repetitions that the next character does not end, in how many places each may.
        scans: How many characters each of its bounded repetitions of one character may read, if that is many.
        first_loop: Characters that the first open repetition may run over; empty: there is none.
        first_counts: Whether that one counts in `degree`.
    """

    first: frozenset[int] = frozenset()
    nullable: bool = True
    degree: int = 0
    loops: int = 0
    deterministic: bool = True
    last_loops: tuple[tuple[frozenset[int], int | None], ...] = ()
    loops_group: bool = False
    spans: tuple[int, ...] = ()
    scans: tuple[int, ...] = ()
    first_loop: frozenset[int] = frozenset()
    first_counts: bool = False

    def may_go_on(self, following: frozenset[int]) -> bool:
        """Whether a repetition at its end may take a character with which something else may begin, too."""
        return any(characters & following for characters, _ in self.last_loops)


def check_regex(pattern: str) -> Pattern:
    """Return what is known of a regular expression.

    Raises:
        PatternError: It is outside the subset, or may backtrack catastrophically.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise PatternError(0, f"The pattern is longer than {MAX_PATTERN_LENGTH} characters.")
    reader = _Reader(pattern)
    part = reader.whole()
    scans = part.loops > part.degree
    degree = part.degree + (1 if scans else 0) + (0 if reader.anchored else 1)
    if not reader.anchored and part.first_loop and not part.first_loop & part.first:
        # Its runs from different starts do not overlap: together they are no longer than the text.
        degree -= 1 if part.first_counts or (part.loops == 1 and part.degree == 0) else 0
    has_unread = len(part.scans) > sum(span > _WIDE for span in part.spans)
    bounds = (*part.spans, 1 + sum(part.scans) if has_unread and not scans else 1)
    if degree > MAX_PATTERN_DEGREE:
        raise PatternError(
            0,
            "The pattern has too many open repetitions after each other: on some texts it would take very long.",
            "Anchor it with ^, drop a leading .* (a match may begin anywhere), or write what ends a repeated part.",
        )
    is_linear = degree <= 1 and prod(bounds) <= MAX_LINEAR_FACTOR
    limit = None if is_linear else _longest_text(degree, bounds)
    if limit is not None and limit < MIN_TEXT:
        raise PatternError(
            0,
            "The pattern has too many repetitions with large bounds: on some texts it would take very long.",
            "Lower the bounds, anchor it with ^, or write what ends a repeated part.",
        )
    if part.loops_group:
        limit = min(limit or MAX_GROUP_LOOP_TEXT, MAX_GROUP_LOOP_TEXT)
    return Pattern(reader.groups, limit)


def _longest_text(degree: int, bounds: tuple[int, ...]) -> int:
    """Return up to what length a pattern stays within the budget; a bounded choice is one of the text's at most."""
    low, high = 0, PATTERN_BUDGET
    while low < high:
        length = (low + high + 1) // 2
        if length**degree * prod(min(bound, length) for bound in bounds) <= PATTERN_BUDGET:
            low = length
        else:
            high = length - 1
    return low


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
            last_loops=tuple(loop for branch in branches for loop in branch.last_loops),
            loops_group=any(branch.loops_group for branch in branches),
            spans=max((branch.spans for branch in branches), key=prod),
            scans=max((branch.scans for branch in branches), key=sum),
            first_loop=_ALL if any(branch.first_loop for branch in branches) else frozenset(),
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
        ambiguous = atom.nullable or not atom.deterministic or atom.may_go_on(atom.first)
        if ambiguous and (high is None or high > 1):
            raise PatternError(
                start,
                f"{self.pattern[start : self.at]!r} repeats a part that can match the same text in several ways; "
                "on some texts that takes very long.",
                "Separate what repeats, as in (\\d+,)*, so that the next character decides, or drop a repetition.",
            )
        wide = high is None or high - low > _WIDE
        span = None if high is None else high - low
        return _Part(
            first=atom.first,
            nullable=low == 0 or atom.nullable,
            degree=atom.degree,
            loops=atom.loops + (1 if high is None or (wide and is_group) else 0),
            deterministic=atom.deterministic,
            last_loops=atom.last_loops + (((atom.first, span),) if low != high else ()),
            loops_group=atom.loops_group or (is_group and wide),
            spans=atom.spans,
            scans=atom.scans + ((high,) if wide and high is not None and not is_group else ()),
            first_loop=self.first_loop(atom, is_group=is_group, high=high, wide=wide),
            first_counts=atom.first_counts,
        )

    @staticmethod
    def first_loop(atom: _Part, *, is_group: bool, high: int | None, wide: bool) -> frozenset[int]:
        if is_group and (wide or (atom.first_loop and high != 1)):
            return _ALL
        return atom.first_loop or (atom.first if high is None else frozenset())

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
    # A repetition at the end of the left part that the next character does not end may stop anywhere in between.
    unsure = [span for characters, span in left.last_loops if characters & right.first]
    is_open = None in unsure
    return _Part(
        first=left.first | right.first if left.nullable else left.first,
        nullable=left.nullable and right.nullable,
        degree=left.degree + right.degree + (1 if is_open else 0),
        loops=left.loops + right.loops,
        deterministic=left.deterministic and right.deterministic and not unsure,
        last_loops=right.last_loops + (left.last_loops if right.nullable else ()),
        loops_group=left.loops_group or right.loops_group,
        spans=(*left.spans, *right.spans, *(span + 1 for span in unsure if span is not None)),
        scans=left.scans + right.scans,
        first_loop=left.first_loop or right.first_loop,
        first_counts=(left.first_counts or (is_open and left.loops == 1)) if left.first_loop else right.first_counts,
    )
