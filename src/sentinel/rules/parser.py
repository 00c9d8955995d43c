"""Parse a rule expression: the subset of Spark's expression grammar that a rule may use, with Spark's precedence.

Recursive descent along `booleanExpression`, `valueExpression` and `primaryExpression` of Spark's SqlBaseParser.g4, so
that every node keeps its exact place and literal, its depth is bounded before anything recurses over it, and nothing is
rewritten on the way. sqlglot, which was tried for this, replaces functions by canonical ones of other semantics
(`date_add` by TsOrDsAdd), drops the text of literals, and runs out of stack between 40 and 60 levels.
"""

from __future__ import annotations

from sentinel.rules import syntax
from sentinel.rules.cursor import ParseStopped
from sentinel.rules.foreign_grammar import FOREIGN_PREDICATES, FROM_LISTS, ForeignGrammar
from sentinel.rules.issue import Issue
from sentinel.rules.lexer import Token, TokenKind, tokenize
from sentinel.rules.limits import MAX_IN_ITEMS
from sentinel.rules.query_grammar import QUERY_WORDS
from sentinel.rules.syntax import Node

# fmt: off
KEYWORDS = frozenset((
    "AND", "OR", "NOT", "BETWEEN", "IN", "LIKE", "ILIKE", "RLIKE", "REGEXP", "IS", "NULL", "TRUE", "FALSE", "CASE",
    "WHEN", "THEN", "ELSE", "END", "CAST", "TRY_CAST", "DIV", "DISTINCT", "FROM", "SELECT", "WITH", "TABLE",
    "VALUES", "EXISTS", "AS", "ESCAPE", "OVER", "FILTER", "WITHIN", "UNION", "WHERE", "GROUP", "ORDER", "HAVING",
))
# fmt: on
COMPARISONS = {"=": "=", "==": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=", "<=>": "<=>"}
# Binding strength of binary operators, weakest first (valueExpression in SqlBaseParser.g4).
_PRECEDENCE = {
    **dict.fromkeys(COMPARISONS, 1),
    "|": 2,
    "^": 3,
    "&": 4,
    "+": 6,
    "-": 6,
    "||": 6,
    "*": 7,
    "/": 7,
    "%": 7,
    "DIV": 7,
}
INTERVAL_UNITS = ("SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR")


def parse(text: str) -> tuple[Node | None, list[Issue]]:
    """Return the tree and the issues; no tree where the text cannot be understood at all."""
    tokens, issues = tokenize(text)
    parser = _Parser(tokens, text)
    try:
        tree = parser.whole()
    except ParseStopped as stopped:
        # After a refused character the parser stumbles over what is missing there: the cause is told, not the effect.
        cause = any(issue.severity == "error" for issue in issues)
        return None, [*issues, *parser.issues, *([] if cause else [stopped.issue])]
    return tree, [*issues, *parser.issues]


class _Parser(ForeignGrammar):
    # Grammar, weakest binding first

    def whole(self) -> Node:
        if self.at_end:
            self.stop("The rule is empty.", "empty", "Write a condition such as amount > 100.")
        self.stop_at_statement()
        tree = self.expression()
        if not self.at_end:
            self.stop_at_end()
            self.stop(f"Expected an operator or the end of the rule, found {self.found()}.")
        return tree

    def expression(self) -> Node:
        self.descend()
        tree = self.chain("OR", ("OR",))
        self.ascend()
        return tree

    def chain(self, operator: str, words: tuple[str, ...]) -> Node:
        operands = [self.operand_of(operator)]
        while self.take(*words):
            operands.append(self.operand_of(operator))
        if len(operands) == 1:
            return operands[0]
        depth = self.depth_of(*operands)
        return syntax.Logical(operands[0].start, operands[-1].end, depth, operator, tuple(operands))

    def operand_of(self, operator: str) -> Node:
        return self.chain("AND", ("AND",)) if operator == "OR" else self.negation()

    def negation(self) -> Node:
        if opening := self.take("NOT", "!"):
            self.descend()
            operand = self.negation()
            self.ascend()
            return syntax.Not(opening.start, operand.end, self.depth_of(operand), operand)
        return self.predicate()

    def predicate(self) -> Node:
        operand = self.value()
        negated = self.token.word in ("NOT", "!") and self.following.word in (
            "BETWEEN",
            "IN",
            "LIKE",
            "ILIKE",
            "RLIKE",
            "REGEXP",
            *FOREIGN_PREDICATES,
        )
        if negated:
            self.advance()
        if self.take("BETWEEN"):
            low = self.value()
            self.expect("AND", "between the bounds of BETWEEN")
            high = self.value()
            depth = self.depth_of(operand, low, high)
            return syntax.Between(operand.start, high.end, depth, operand, low, high, negated)
        if self.take("IN"):
            return self.in_list(operand, negated)
        if token := self.take("LIKE", "ILIKE", "RLIKE", "REGEXP"):
            return self.pattern_match(operand, token, negated)
        if self.take("IS"):
            return self.is_test(operand)
        return self.foreign_predicate(operand, negated) or operand

    def in_list(self, operand: Node, negated: bool) -> Node:
        if self.token.word != "(" and not self.at_end:
            return self.in_array(operand, negated)
        opening = self.expect("(", "after IN")
        if self.at_query:
            query = self.query(opening)
            if not isinstance(query, syntax.Query):
                return syntax.Refused(operand.start, query.end, 1)
            return syntax.InQuery(operand.start, query.end, self.depth_of(operand, query), operand, query, negated)
        items = [self.item()]
        while self.take(","):
            items.append(self.item())
            if len(items) > MAX_IN_ITEMS:
                self.stop(f"The IN list has more than {MAX_IN_ITEMS} items.", "too-many-items")
        closing = self.expect(")", "after the IN list")
        depth = self.depth_of(operand, *items)
        return syntax.InList(operand.start, closing.end, depth, operand, tuple(items), negated)

    def item(self) -> Node:
        """Parse an item of a list; a plain literal, which most are, without the detour through all levels."""
        if self.token.kind in (TokenKind.NUMBER, TokenKind.TEXT) and self.following.word in (",", ")"):
            return self.literal()
        return self.expression()

    def pattern_match(self, operand: Node, token: Token, negated: bool) -> Node:
        operator = "RLIKE" if token.word == "REGEXP" else token.word
        if self.token.word in ("ANY", "ALL", "SOME") and self.following.word == "(":
            self.stop(f"{operator} {self.token.word} is not part of the language.", "syntax", "Join patterns with OR.")
        pattern = self.value()
        if self.token.word == "ESCAPE":
            self.stop("ESCAPE is not part of the language.", "syntax", r"Escape with a backslash: '100\\%'.")
        depth = self.depth_of(operand, pattern)
        return syntax.PatternMatch(operand.start, pattern.end, depth, operator, operand, pattern, negated)

    def is_test(self, operand: Node) -> Node:
        negated = self.take("NOT", "!") is not None
        if test := self.take("NULL", "TRUE", "FALSE", "UNKNOWN"):
            return syntax.IsTest(operand.start, test.end, self.depth_of(operand), operand, test.word, negated)
        if self.take("DISTINCT"):
            self.expect("FROM", "after IS DISTINCT")
            right = self.value()
            depth = self.depth_of(operand, right)
            same = syntax.Binary(operand.start, right.end, depth, "<=>", operand, right)
            return same if negated else syntax.Not(same.start, same.end, self.depth_of(same), same)
        if (refused := self.foreign_test(operand, negated)) is not None:
            return refused
        raise self.stopped(f"Expected NULL, TRUE, FALSE or DISTINCT FROM after IS, found {self.found()}.")

    def value(self, weakest: int = 1) -> Node:
        left = self.unary()
        while (strength := _PRECEDENCE.get(self.token.word, 0)) >= weakest:
            operator = self.advance().word
            if operator == self.token.word == "*":
                left = self.power(left)
                continue
            right = self.value(strength + 1)
            if (refused := self.any_of(COMPARISONS.get(operator, operator), left, right)) is not None:
                left = refused
                continue
            depth = self.depth_of(left, right)
            left = syntax.Binary(left.start, right.end, depth, COMPARISONS.get(operator, operator), left, right)
        return left

    def unary(self) -> Node:
        if opening := self.take("-", "+", "~"):
            self.descend()
            operand = self.unary()
            self.ascend()
            if isinstance(operand, syntax.Literal) and opening.word == "-" and self.is_number(operand):
                return syntax.Literal(opening.start, operand.end, 1, -operand.value)  # type: ignore[operator]
            return syntax.Unary(opening.start, operand.end, self.depth_of(operand), opening.word, operand)
        return self.postfix(self.primary())

    @staticmethod
    def is_number(literal: syntax.Literal) -> bool:
        return not isinstance(literal.value, str | bool) and literal.value is not None

    def postfix(self, base: Node) -> Node:
        while True:
            if self.take("."):
                if self.token.kind not in (TokenKind.WORD, TokenKind.QUOTED):
                    self.stop(f"Expected the name of a field after '.', found {self.found()}.")
                name = self.advance()
                base = syntax.Member(base.start, name.end, self.depth_of(base), base, name.text, name.start)
            elif self.take("["):
                index = self.expression()
                closing = self.expect("]", "after the index")
                base = syntax.Index(base.start, closing.end, self.depth_of(base, index), base, index)
            elif self.take("::"):
                start = self.token.start
                type_text, end = self.type_text()
                base = syntax.Cast(base.start, end, self.depth_of(base), base, type_text, start, end)
            elif (refused := self.foreign_postfix(base)) is not None:
                base = refused
            else:
                return base

    def primary(self) -> Node:
        token = self.token
        if token.kind in (TokenKind.NUMBER, TokenKind.TEXT):
            return self.literal()
        if token.kind is TokenKind.QUOTED:
            self.advance()
            if self.token.word == "(":
                self.stop("The name of a function is not quoted.", "quoted-function", "Remove the backticks.")
            return syntax.Name(token.start, token.end, 1, token.text)
        if token.kind is TokenKind.WORD:
            return self.worded()
        if self.take("("):
            return self.parenthesised(token)
        self.stop_at_sign()
        raise self.stopped(f"Expected a value, found {self.found()}.")

    def literal(self) -> Node:
        token = self.advance()
        if token.kind is TokenKind.TEXT and self.token.kind is TokenKind.TEXT:
            self.stop("Two texts stand side by side.", "syntax", "Join them with ||.")
        return syntax.Literal(token.start, token.end, 1, token.value, token.double_quoted)

    def parenthesised(self, opening: Token) -> Node:
        if self.at_query:
            query = self.query(opening)
            if not isinstance(query, syntax.Query):
                return query
            return syntax.ScalarQuery(opening.start, query.end, self.depth_of(query), query)
        inner = self.expression()
        if self.token.word == ",":
            self.stop("Expected ) here: a rule has no tuples.", "syntax", "Compare the fields one by one.")
        self.expect(")", f"for the ( at character {opening.start}")
        return inner

    def worded(self) -> Node:  # noqa: PLR0911 - one per kind of word
        token = self.advance()
        word = token.word
        if word in ("TRUE", "FALSE", "NULL") and self.token.word != "(":
            value = None if word == "NULL" else word == "TRUE"
            return syntax.Literal(token.start, token.end, 1, value)
        if word == "CASE":
            return self.case(token)
        if word in ("CAST", "TRY_CAST") and self.token.word == "(":
            return self.cast(token)
        if word in ("DATE", "TIMESTAMP") and self.token.kind is TokenKind.TEXT:
            text = self.advance()
            return syntax.TypedLiteral(token.start, text.end, 1, word, str(text.value))
        if word == "INTERVAL" and (self.token.kind in (TokenKind.NUMBER, TokenKind.TEXT) or self.token.word == "-"):
            return self.interval(token)
        if word == "EXISTS" and self.token.word == "(" and self.following.word in QUERY_WORDS:
            query = self.query(self.advance(), exists=True)
            if not isinstance(query, syntax.Query):
                return query
            return syntax.ExistsQuery(token.start, query.end, self.depth_of(query), query)
        if word == "EXTRACT" and self.take("("):
            return self.extract(token)
        if self.token.word == "(" and (word not in KEYWORDS or word in ("LIKE", "EXISTS", "FILTER")):
            return self.call(token)
        if word in KEYWORDS:
            self.at -= 1
            self.stop(
                f"Expected a value, found the keyword {token.text}.",
                "syntax",
                f"If a field has that name, write `{token.text}` or event.{token.text}.",
            )
        if self.token.kind is TokenKind.TEXT:
            self.stop(f"{token.text} '...' is not a literal of the language.", "syntax", "Known: DATE, TIMESTAMP.")
        return syntax.Name(token.start, token.end, 1, token.text)

    def call(self, name: Token) -> Node:
        self.expect("(", "after the name of the function")
        arguments: list[Node] = []
        if self.in_query and self.token.word == "DISTINCT":
            self.refuse_query(f"{name.text}(DISTINCT ...) is not part of the language.", "Leave DISTINCT out.")
        if self.in_query and self.token.word == "*" and name.word == "COUNT":
            self.advance()
            closing = self.expect(")", "after COUNT(*")
            return syntax.Call(name.start, closing.end, 1, name.text, name.end, ())
        if self.token.word in ("DISTINCT", "*"):
            message = "A rule sees one event, so it has no aggregates."
            skipped = self.skip_to_end(name)
            self.refuse("function-not-allowed", name.start, skipped.end, message, FROM_LISTS)
            return skipped
        if (refused := self.foreign_call(name)) is not None:
            return refused
        if self.token.word != ")":
            first = self.expression()
            if (refused := self.from_argument(name, first) or self.safe_cast(name, first)) is not None:
                return refused
            arguments.append(first)
            while self.take(","):
                arguments.append(self.expression())
        if self.token.word in ("->", "=>"):
            self.stop("A rule has neither lambda functions nor named arguments.", "lambda")
        closing = self.expect(")", f"after the arguments of {name.text}")
        if self.token.word in ("OVER", "FILTER", "WITHIN") and self.following.word in ("(", "GROUP"):
            self.stop_at_end()
        depth = self.depth_of(*arguments)
        return syntax.Call(name.start, closing.end, depth, name.text, name.end, tuple(arguments))

    def extract(self, opening: Token) -> Node:
        unit = self.advance()
        self.expect("FROM", "in EXTRACT(unit FROM value)")
        value = self.expression()
        closing = self.expect(")", "after EXTRACT")
        name = syntax.Literal(unit.start, unit.end, 1, unit.text)
        return syntax.Call(opening.start, closing.end, self.depth_of(value), "date_part", opening.end, (name, value))

    def case(self, opening: Token) -> Node:
        operand = None if self.token.word == "WHEN" else self.expression()
        branches: list[tuple[Node, Node]] = []
        while self.take("WHEN"):
            condition = self.expression()
            self.expect("THEN", "after the condition of WHEN")
            branches.append((condition, self.expression()))
        if not branches:
            self.stop(f"Expected WHEN in CASE, found {self.found()}.")
        otherwise = self.expression() if self.take("ELSE") else None
        closing = self.expect("END", "to close CASE")
        depth = self.depth_of(operand, otherwise, *(node for branch in branches for node in branch))
        return syntax.Case(opening.start, closing.end, depth, operand, tuple(branches), otherwise)

    def cast(self, opening: Token) -> Node:
        self.expect("(", f"after {opening.word}")
        operand = self.expression()
        self.expect("AS", f"in {opening.word}(value AS type)")
        start = self.token.start
        type_text, type_end = self.type_text()
        closing = self.expect(")", "after the type")
        return syntax.Cast(opening.start, closing.end, self.depth_of(operand), operand, type_text, start, type_end)

    def type_text(self) -> tuple[str, int]:
        if self.token.kind is not TokenKind.WORD:
            self.stop(f"Expected a type, found {self.found()}.", suggestion="Types: string, bigint, double, ...")
        name = self.advance()
        written, end = name.text.lower(), name.end
        if self.token.word == "(" and written in ("decimal", "numeric", "dec", "char", "varchar"):
            self.advance()
            numbers = [self.number()]
            while self.take(","):
                numbers.append(self.number())
            end = self.expect(")", "after the size of the type").end
            written += f"({','.join(numbers)})"
        elif self.token.word == "<" and written in ("array", "map", "struct"):
            self.stop(f"A cast to {written}<...> is not part of the language.", "cast-type")
        return written, end

    def number(self) -> str:
        if not isinstance(self.token.value, int):
            self.stop(f"Expected a whole number, found {self.found()}.")
        return self.advance().text

    def interval(self, opening: Token) -> Node:
        self.whole_interval(opening, INTERVAL_UNITS)
        negative = self.take("-") is not None
        token = self.advance()
        written = str(token.value).strip()
        unit = self.advance()
        singular = unit.word.removesuffix("S")
        digits = written.removeprefix("-")
        if singular not in INTERVAL_UNITS or not (digits.isascii() and digits.isdigit()) or len(written) > 9:
            self.at -= 1
            self.stop(
                "An interval is a whole number and one unit.",
                "interval",
                f"Write INTERVAL '15' MINUTE; units are {', '.join(INTERVAL_UNITS)}.",
            )
        count = -int(written) if negative else int(written)
        return syntax.IntervalLiteral(opening.start, unit.end, 1, count, singular)
