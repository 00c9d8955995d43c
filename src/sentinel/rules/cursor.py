"""Walk over the tokens of a rule: look ahead, take, expect, stop."""

from __future__ import annotations

from typing import NoReturn

from sentinel.rules.issue import Issue
from sentinel.rules.lexer import Token, TokenKind
from sentinel.rules.limits import MAX_DEPTH
from sentinel.rules.syntax import Node


class ParseStopped(Exception):  # noqa: N818 - control flow inside this package, never seen by a caller
    """Parsing cannot go on; the issue says why."""

    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.message)
        self.issue = issue


class TokenCursor:
    """A place among tokens, and the issues found up to there.

    Attributes:
        level: How deeply the grammar is nested at this place; bounded, since Python's and Catalyst's recursion is.
    """

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.level = 0
        self.issues: list[Issue] = []

    def descend(self) -> None:
        """Enter a level of nesting."""
        self.level += 1
        if self.level > MAX_DEPTH:
            self.too_deep()

    def ascend(self) -> None:
        """Leave a level of nesting."""
        self.level -= 1

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.at]

    @property
    def following(self) -> Token:
        """The token behind that."""
        return self.tokens[min(self.at + 1, len(self.tokens) - 1)]

    @property
    def at_end(self) -> bool:
        """Whether no token is left."""
        return self.token.kind is TokenKind.END

    def advance(self) -> Token:
        """Return the next token and go on behind it."""
        token = self.token
        if token.kind is not TokenKind.END:
            self.at += 1
        return token

    def take(self, *words: str) -> Token | None:
        """Go on behind the next token if it is one of these words."""
        return self.advance() if self.token.word in words else None

    def expect(self, word: str, after: str) -> Token:
        """Go on behind a token that must come next, or stop."""
        if self.token.word != word:
            self.stop(f"Expected {word} {after}, found {self.found()}.")
        return self.advance()

    def found(self) -> str:
        """Return the next token for a message."""
        return "the end of the text" if self.at_end else repr(self.token.text[:40])

    def stop(self, message: str, code: str = "syntax", suggestion: str | None = None) -> NoReturn:
        """End the parse with an issue at the next token."""
        raise self.stopped(message, code, suggestion)

    def stopped(self, message: str, code: str = "syntax", suggestion: str | None = None) -> ParseStopped:
        """Return what ends the parse with an issue at the next token."""
        return ParseStopped(Issue("error", code, self.token.start, self.token.end, message, suggestion))

    def refuse(self, code: str, start: int, end: int, message: str, suggestion: str | None = None) -> None:
        """Report something and go on."""
        self.issues.append(Issue("error", code, start, end, message, suggestion))

    def depth_of(self, *children: Node | None) -> int:
        """Return the depth of a node with these children, or stop where it is too deep."""
        depth = 1 + max((child.depth for child in children if child is not None), default=0)
        if depth > MAX_DEPTH:
            self.too_deep()
        return depth

    def too_deep(self) -> NoReturn:
        """End the parse: the nesting passes its bound."""
        self.stop(
            f"The expression is nested more than {MAX_DEPTH} levels deep.",
            "too-deep",
            "Split it into several rules, or chain conditions with AND and OR, which count as one level.",
        )
