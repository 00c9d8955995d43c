"""Where the parts of a rule stand in its text."""

from __future__ import annotations

from typing import Protocol

from sentinel.rules.lexer import tokenize


class Placed(Protocol):
    """What has a place in a text."""

    @property
    def start(self) -> int:
        """Offset of its first character."""

    @property
    def end(self) -> int:
        """Offset behind its last one."""


class Spans:
    """Widens places so that they hold both of each pair of parentheses: a node begins and ends at its operands."""

    def __init__(self, text: str) -> None:
        tokens, _ = tokenize(text)
        self._signs = [(token.start, 1 if token.word == "(" else -1) for token in tokens if token.word in ("(", ")")]

    def of(self, node: Placed) -> tuple[int, int]:
        """Return start and end."""
        start, end = node.start, node.end
        depth, lowest = 0, 0
        for _, sign in (each for each in self._signs if start <= each[0] < end):
            depth += sign
            lowest = min(lowest, depth)
        before = [at for at, sign in self._signs if at < start and sign == 1]
        behind = [at for at, sign in self._signs if at >= end and sign == -1]
        if lowest < 0:
            start = before[lowest]
        if depth > lowest:
            end = behind[depth - lowest - 1] + 1
        return start, end


MAX_QUOTED = 500


class Source:
    """The text of a rule, to quote parts of it in suggestions."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._spans: Spans | None = None

    def of(self, part: Placed) -> str:
        """Return what stands there with both of each pair of parentheses; empty where there is no such text."""
        if part.end > len(self._text):
            return ""
        if self._spans is None:
            self._spans = Spans(self._text)
        try:
            start, end = self._spans.of(part)
        except IndexError:  # a sign was refused, so the parentheses do not match
            start, end = part.start, part.end
        return self._text[start:end] if end - start <= MAX_QUOTED else ""

    def is_enclosed(self, part: Placed) -> bool:
        """Tell whether it stands in parentheses of its own."""
        return self._text[: part.start].rstrip().endswith("(") and self._text[part.end :].lstrip().startswith(")")
