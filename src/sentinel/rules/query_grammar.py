"""Parse a subquery of a rule: `SELECT value FROM table [WHERE condition]`, over one reference table."""

from __future__ import annotations

from typing import NoReturn

from sentinel.rules import syntax
from sentinel.rules.cursor import TokenCursor
from sentinel.rules.issue import Issue
from sentinel.rules.lexer import Token, TokenKind
from sentinel.rules.limits import MAX_SUBQUERIES
from sentinel.rules.syntax import EVENT, Node

QUERY_WORDS = ("SELECT", "WITH", "TABLE", "VALUES", "FROM")
_FORM = "A subquery is SELECT value FROM table [WHERE condition], over one reference table."
_CLAUSES = {
    **dict.fromkeys(
        ("JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "NATURAL", "ANTI", "SEMI", "LATERAL", ","),
        ("A subquery reads one reference table, so it has no joins.", "Use two subqueries and AND."),
    ),
    **dict.fromkeys(
        ("GROUP", "HAVING"),
        (
            "A subquery gives one value per event, so it has no GROUP BY and no HAVING.",
            "Correlate it: WHERE key = event.x.",
        ),
    ),
    **dict.fromkeys(
        ("ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "FETCH"),
        ("A subquery has neither order nor limit.", "Use MIN or MAX for the smallest or largest value."),
    ),
    **dict.fromkeys(
        ("UNION", "INTERSECT", "EXCEPT", "MINUS"),
        ("A subquery is one SELECT, so it has no set operations.", "Use two subqueries with AND or OR."),
    ),
}


class _QueryRefused(Exception):  # noqa: N818 - control flow of this module
    def __init__(self, issue: Issue) -> None:
        super().__init__(issue.message)
        self.issue = issue


class QueryGrammar(TokenCursor):
    """The part of the grammar that is about subqueries.

    Attributes:
        in_query: Whether the parser is inside of one.
        query_count: How many subqueries were met.
    """

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self.in_query = False
        self.query_count = 0

    def expression(self) -> Node:
        """Parse an expression."""
        raise NotImplementedError

    @property
    def at_query(self) -> bool:
        """Whether a subquery begins here; its opening parenthesis was taken."""
        return self.token.word in QUERY_WORDS

    def query(self, opening: Token, *, exists: bool = False) -> Node:
        """Parse a subquery behind its opening parenthesis, to its closing one.

        What a subquery may not have is reported, and the parse goes on behind it with a node `Refused`.
        """
        at, level, outer = self.at, self.level, self.in_query
        try:
            if outer:
                self.refuse_query("A subquery holds no other subquery.", "Use two subqueries with AND or OR.")
            self.query_count += 1
            if self.query_count > MAX_SUBQUERIES:
                self.refuse_query(
                    f"A rule has at most {MAX_SUBQUERIES} subqueries.",
                    "Split it into several rules.",
                    "too-many-subqueries",
                )
            self.in_query = True
            return self._select(opening, exists=exists)
        except _QueryRefused as refused:
            if outer:
                raise  # the outermost one is reported and skipped as a whole
            self.issues.append(refused.issue)
            self.at, self.level = at, level
            return self.skip_to_end(opening)
        finally:
            self.in_query = outer

    def refuse_query(self, message: str, suggestion: str | None = None, code: str = "subquery-form") -> NoReturn:
        """Give the subquery up, with an issue at the next token."""
        raise _QueryRefused(Issue("error", code, self.token.start, self.token.end, message, suggestion))

    def skip_to_end(self, opening: Token) -> Node:
        """Go behind the parenthesis that closes the one at `opening`, which was taken."""
        open_parentheses = 1
        end = opening.end
        while open_parentheses and not self.at_end:
            token = self.advance()
            open_parentheses += {"(": 1, ")": -1}.get(token.word, 0)
            end = token.end
        return syntax.Refused(opening.start, end, 1)

    def _select(self, opening: Token, *, exists: bool) -> Node:
        if self.token.word != "SELECT":
            self.refuse_query(f"{self.token.text} is not part of the language.", _FORM)
        self.advance()
        if self.token.word in ("DISTINCT", "ALL"):
            self.refuse_query(f"SELECT {self.token.word} is not part of the language.", "Leave the word out.")
        select: Node | None = None
        if self.token.word == "*":
            if not exists:
                self.refuse_query("A subquery selects one value, not *.", "Name the column.")
            self.advance()
        else:
            select = self.expression()
            if self.take("AS"):
                self.advance()
        if self.token.word == ",":
            self.refuse_query("A subquery selects one value.", "Write one subquery for each value.")
        if self.token.word != "FROM":
            self.refuse_query(f"Expected FROM, found {self.found()}.", _FORM)
        self.advance()
        table = self._table()
        alias = self._alias()
        where: Node | None = None
        if self.take("WHERE"):
            where = self.expression()
        if self.token.word in _CLAUSES:
            self.refuse_query(*_CLAUSES[self.token.word])
        if self.token.word != ")":
            self.refuse_query(f"Expected WHERE or ) here, found {self.found()}.", _FORM)
        closing = self.advance()
        depth = self.depth_of(select, where)
        return syntax.Query(opening.start, closing.end, depth, select, table.text, table.start, table.end, alias, where)

    def _table(self) -> Token:
        if self.token.kind not in (TokenKind.WORD, TokenKind.QUOTED) or self.token.word in (
            "SELECT",
            "VALUES",
            "TABLE",
        ):
            if self.token.word == "(":
                self.refuse_query("A subquery reads a reference table, not another subquery.", _FORM)
            self.refuse_query(f"Expected the name of a reference table, found {self.found()}.", _FORM)
        if self.following.word in (".", "("):
            what = "files, databases and schemas" if self.following.word == "." else "table functions"
            self.refuse_query(f"A rule reads reference tables only, no {what}.", "Upload the values as a list.")
        return self.advance()

    def _alias(self) -> str | None:
        if self.take("AS"):
            if self.token.kind not in (TokenKind.WORD, TokenKind.QUOTED):
                self.refuse_query(f"Expected a name after AS, found {self.found()}.")
        elif self.token.word in ("WHERE", ")", *_CLAUSES) or self.token.kind not in (TokenKind.WORD, TokenKind.QUOTED):
            return None
        elif self.following.word not in ("WHERE", ")", *_CLAUSES):
            self.refuse_query(f"{self.token.text} is not part of the language here.", _FORM)
        if self.token.text.lower() == EVENT:
            self.refuse_query("event is the event, also in a subquery.", "Give the table another name.")
        return self.advance().text
