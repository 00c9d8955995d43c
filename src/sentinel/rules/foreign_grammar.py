"""Forms that other databases have and a rule has not: recognized, and refused with what to write instead.

Where what is meant can be told, the form becomes a node `Refused` and the parse goes on.
"""

from __future__ import annotations

import re

from sentinel.rules import syntax
from sentinel.rules.cursor import ParseStopped
from sentinel.rules.issue import Issue
from sentinel.rules.lexer import Token, TokenKind
from sentinel.rules.query_grammar import QueryGrammar
from sentinel.rules.spans import Source
from sentinel.rules.syntax import Node

_ONLY_CONDITION = "A rule is only the condition, what would stand behind WHERE."
_BEHIND_CONDITION = {
    "GROUP": "A rule sees one event, so it has no GROUP BY.",
    "HAVING": "A rule sees one event, so it has no HAVING.",
    "QUALIFY": "A rule sees one event, so it has no windows.",
    "ORDER": "A rule is a condition on one event, so it has no order.",
    "LIMIT": "A rule is a condition on one event, so it has no limit.",
    "UNION": _ONLY_CONDITION,
}
FROM_LISTS = "Counts and averages over other events come from a list: docs/lists.md."
_SIGNS = {("&", "&"): "AND", ("=", ">"): ">=", ("=", "<"): "<=", ("<", ">"): "<>", ("!", "="): "<>"}
_PATTERNS = {"~": "RLIKE", "MATCHES": "RLIKE", "SIMILAR": "RLIKE", "GLOB": "LIKE"}
FOREIGN_PREDICATES = ("CONTAINS", *_PATTERNS)
"""Words and signs that `NOT` may stand before."""
_TIME_ZONE = (
    "Timestamps are moments in UTC, and a rule has no time zones but that of is_weekend(moment, zone).",
    "For local hours add an interval, as in hour(moment + INTERVAL '2' HOUR).",
)
_WHOLE_INTERVAL = re.compile(r"\s*(-?\d{1,8})\s*([a-z]+?)s?\s*", re.IGNORECASE)


class ForeignGrammar(QueryGrammar):
    """What is understood only to be refused.

    Args:
        text: What the tokens are of.
    """

    def __init__(self, tokens: list[Token], text: str) -> None:
        super().__init__(tokens)
        self.text = text
        self.source = Source(text)

    def value(self, weakest: int = 1) -> Node:
        """Parse a value."""
        raise NotImplementedError

    def instead(self, start: int, end: int, message: str, written: str | None, code: str = "syntax") -> Node:
        """Refuse what stands there and go on behind it."""
        self.refuse(code, start, end, message, f"Write {written}." if written else None)
        return syntax.Refused(start, end, 1)

    def stop_at_statement(self) -> None:
        """Stop where the text is a whole statement."""
        if self.token.word not in ("SELECT", "WHERE", "WITH", "FROM"):
            return
        start = self.token.start
        while not self.at_end and self.token.word != "WHERE":
            self.advance()
        condition = self.text[self.token.end :]
        behind = re.search(r"\b(?:GROUP|ORDER|LIMIT|HAVING)\b", condition, re.IGNORECASE)
        condition = (condition[: behind.start()] if behind else condition).strip()
        way_out = f"Write {condition}." if condition else "Write a condition such as amount > 100."
        raise ParseStopped(Issue("error", "syntax", start, len(self.text), _ONLY_CONDITION, way_out))

    def stop_at_end(self) -> None:
        """Stop behind a condition where something follows that other databases know."""
        word = self.token.word
        if word in ("OVER", "FILTER", "WITHIN"):
            message = "A rule sees one event, so it has no windows and no aggregates."
            self.stop(message, "function-not-allowed", FROM_LISTS)
        if word == "=>":
            self.stop("=> is no comparison.", "syntax", "Write >=.")
        if word == "->":
            self.stop("A rule has neither lambda functions nor named arguments.", "lambda")
        if word in _BEHIND_CONDITION:
            self.stop(_BEHIND_CONDITION[word], "syntax", FROM_LISTS if word in ("GROUP", "HAVING", "QUALIFY") else None)

    def stop_at_sign(self) -> None:
        """Stop where a value is expected and a sign stands of which a rule has another form."""
        before = self.tokens[self.at - 1] if self.at else None
        if before is None or before.end != self.token.start:
            return
        written = _SIGNS.get((before.word, self.token.word))
        if written is not None:
            both = self.text[before.start : self.token.end]
            message = f"{both} is not an operator of the language."
            raise ParseStopped(Issue("error", "syntax", before.start, self.token.end, message, f"Write {written}."))

    def power(self, base: Node) -> Node:
        """Refuse `a ** b`, its second asterisk being next."""
        self.advance()
        exponent = self.value(8)
        written = f"power({self.source.of(base)}, {self.source.of(exponent)})"
        return self.instead(base.start, exponent.end, "** is not an operator of the language.", written)

    def foreign_predicate(self, operand: Node, negated: bool) -> Node | None:
        """Refuse `text ~ 'pattern'`, `array CONTAINS value` and the like; None: there is none here."""
        token = self.token
        behind = self.following
        if token.word == "CONTAINS" and behind.word != "(":
            self.advance()
            part = self.value()
            written = f"contains({self.source.of(operand)}, {self.source.of(part)})"
            written = f"NOT {written}" if negated else written
            return self.instead(operand.start, part.end, "CONTAINS is a function here.", written)
        starred = token.word == "~" and behind.word == "*"
        if token.word in _PATTERNS and (starred or behind.kind is TokenKind.TEXT or behind.word == "TO"):
            self.advance()
            self.take("*", "TO")
            pattern = self.value()
            written = f"{self.source.of(operand)} {'NOT ' if negated else ''}{_PATTERNS[token.word]} "
            written += f"r'(?i){self.tokens[self.at - 1].value}'" if starred else self.source.of(pattern)
            return self.instead(
                operand.start, pattern.end, f"{token.text} is not an operator of the language.", written
            )
        return None

    def in_array(self, operand: Node, negated: bool) -> Node:
        """Refuse `value IN array`."""
        array = self.value()
        if isinstance(array, syntax.Call) and array.name.upper() == "UNNEST" and len(array.arguments) == 1:
            array = array.arguments[0]
        end = self.tokens[self.at - 1].end
        one = isinstance(array, syntax.Literal)
        written = f"{self.source.of(operand)} {'NOT ' if negated else ''}IN ({self.source.of(array)})"
        if not one:
            written = f"{'NOT ' if negated else ''}array_contains({self.source.of(array)}, {self.source.of(operand)})"
        message = "The values of IN stand in parentheses." if one else "IN takes values in parentheses, not an array."
        return self.instead(operand.start, end, message, written)

    def foreign_test(self, operand: Node, negated: bool) -> Node | None:
        """Refuse `x IS 'DE'`; None: it is something else."""
        if self.token.kind not in (TokenKind.TEXT, TokenKind.NUMBER):
            return None
        value = self.value()
        written = f"{self.source.of(operand)} {'<>' if negated else '='} {self.source.of(value)}"
        return self.instead(operand.start, value.end, "IS tests for NULL, TRUE and FALSE.", written)

    def foreign_postfix(self, base: Node) -> Node | None:
        """Refuse `struct ->> 'member'` and AT TIME ZONE; None: there is neither."""
        if self.token.word == "->":
            ahead = 2 if self.following.word == ">" else 1
            member = self.tokens[min(self.at + ahead, len(self.tokens) - 1)]
            if member.kind is TokenKind.TEXT:
                self.at += ahead + 1
                message = "A member of a struct is named behind a point."
                return self.instead(base.start, member.end, message, f"{self.source.of(base)}.{member.value}")
        if self.token.word == "AT" and self.following.word in ("TIME", "LOCAL"):
            start = self.token.start
            while self.token.word in ("AT", "TIME", "ZONE", "LOCAL"):
                self.advance()
            end = self.advance().end if self.token.kind is TokenKind.TEXT else self.tokens[self.at - 1].end
            self.refuse("syntax", start, end, *_TIME_ZONE)
            return syntax.Refused(base.start, end, 1)
        return None

    def foreign_call(self, name: Token) -> Node | None:
        """Refuse calls with words between their arguments; None: it is none. The parenthesis was taken."""
        if name.word == "POSITION":
            part = self.value()
            if not self.take("IN"):
                return None if self.token.word != "," else self._closed(name, "locate", [part])
            return self._closed(name, "locate", [part, self.value()])
        sided = self.token.word in ("BOTH", "LEADING", "TRAILING")
        if name.word == "TRIM" and sided and self.following.kind not in (TokenKind.SYMBOL, TokenKind.END):
            side = self.advance().word
            characters = None if self.token.word == "FROM" else self.value()
            self.expect("FROM", f"in TRIM({side} ...)")
            function = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}[side]
            if characters is not None and side == "BOTH":
                return self._closed(name, "btrim", [self.value(), characters])
            return self._closed(name, function, [self.value()])
        if name.word in ("ANY", "ALL", "SOME") and self.at_query:
            query = self.query(self.tokens[self.at - 1])
            message = f"{name.text} (SELECT ...) is not part of the language."
            self.refuse("subquery-form", name.start, query.end, message, "Select one value, such as MAX(column).")
            return syntax.Refused(name.start, query.end, 1)
        return None

    def from_argument(self, name: Token, first: Node) -> Node | None:
        """Refuse `SUBSTRING(text FROM 1 FOR 3)`; None: it is not that."""
        if not self.take("FROM"):
            return None
        arguments = [first, self.value()]
        if self.take("FOR"):
            arguments.append(self.value())
        return self._closed(name, "substring", arguments)

    def safe_cast(self, name: Token, operand: Node) -> Node | None:
        """Refuse `SAFE_CAST(x AS type)`; None: it is not that."""
        if not self.take("AS"):
            return None
        end = self.expect_closing()
        written = f"try_cast({self.text[operand.start : end]}"
        known = name.word in ("SAFE_CAST", "TRY_CONVERT")
        message = f"{name.text} is not available in rules." if known else f"{name.text} takes no AS."
        return self.instead(name.start, end, message, written if known else None, "function-not-allowed")

    def expect_closing(self) -> int:
        """Go behind the parenthesis that closes this call, and return where it ends."""
        level = 1
        while level and not self.at_end:
            level += {"(": 1, ")": -1}.get(self.token.word, 0)
            self.advance()
        return self.tokens[self.at - 1].end

    def any_of(self, operator: str, left: Node, right: Node) -> Node | None:
        """Refuse `value = ANY(array)`; None: it is not that."""
        if not isinstance(right, syntax.Call) or right.name.upper() not in ("ANY", "SOME", "ALL"):
            return None
        if operator not in ("=", "<>") or len(right.arguments) != 1:
            return None
        written = f"array_contains({self.source.of(right.arguments[0])}, {self.source.of(left)})"
        written = written if operator == "=" else f"NOT {written}"
        message = f"{right.name} is not part of the language."
        return self.instead(left.start, right.end, message, written, "function-not-allowed")

    def whole_interval(self, opening: Token, units: tuple[str, ...]) -> None:
        """Stop at `INTERVAL '30 days'`, its text being next."""
        found = _WHOLE_INTERVAL.fullmatch(str(self.token.value)) if self.token.kind is TokenKind.TEXT else None
        if found is not None and found[2].upper() in units:
            message = "The unit of an interval stands behind the quotes."
            written = f"Write INTERVAL '{found[1]}' {found[2].upper()}."
            raise ParseStopped(Issue("error", "interval", opening.start, self.token.end, message, written))

    def _closed(self, name: Token, function: str, arguments: list[Node]) -> Node:
        while self.take(","):
            arguments.append(self.value())
        closing = self.expect(")", f"after the arguments of {name.text}")
        written = f"{function}({', '.join(map(self.source.of, arguments))})"
        message = f"The arguments of {name.text} are separated by commas."
        return self.instead(name.start, closing.end, message, written)
