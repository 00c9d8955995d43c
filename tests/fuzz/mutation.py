"""Texts that nobody wrote: rules and attacks cut into tokens and put together anew."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from sentinel.rules.functions import FUNCTIONS
from sentinel.rules.parser import KEYWORDS
from tests.unit.rules.corpus import HONEST, HOSTILE, SCHEMA

LONGEST = 12_000  # characters: a little more than a rule may have
MOST_KEPT = 4_000

_TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|[A-Za-z_]\w*|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\w*"
    r"|<=>|<>|<=|>=|!=|==|\|\||::|->|=>|--|/\*|\*/|\s+|.",
    re.DOTALL,
)
_SHORT = (
    'when amount > 500 then notify("slack:#big-orders")',
    "when event.country == \"DE\" and amount > 500 then tag('x'), score(80)",
    "when country in [\"DE\", 'FR'] or email not contains 'x' then severity('critical')",
    r'when email matches "^a\\d+@" and quantity not between 1 and 5 then tag("x")',
    "when event_time - sent_at > 15m and tags contains \"vip\" then tag('x')",
    "when device.geo.lat > -5.25 and items[0].price < 1e3 and user_id is not null then tag('x')",
    "when not (country = 'It\\'s \\u00e9' or is_foreign == true) then tag('x')",
)


def _words(text: str) -> list[str]:
    return text.split()


_NUMBERS = _words(
    "0 1 -1 3 2.5 0.1 1e308 1e-320 1e999 9223372036854775807 9223372036854775808 2147483648 99999999999999999999 "
    "99999999999999999999999999999999999999 0.00000000000000000000000000000000000001 1L 1BD 5S 0x1F 00 1e 1.e5 15m"
)
_TEXTS = [
    *("''", "'now'", "'NaN'", "'Infinity'", "'today '", "'%'", "'%a%b%_'", "'2024-02-30'", "'2024-01-31 10:00:00'"),
    *("'(a+)+$'", "'(x|y)*z'", "'a{1000}'", r"'\\'", r"'\''", r"r'\d+'", "'\u0130\u00df'", "'\U0001f600'", '"a\'b"'),
    *("'yyyy-MM-dd'", "'GGGGGG'", "'Europe/Berlin'", "'10.0.0.0/8'", "'0 0, 0 9, 9 9'", "'a, b'", f"'{'x' * 300}'"),
    r"'\u0000'",
]
_ODD = [
    *("\u0430", "\u200b", "\u00a0", "\uff1e", "\u2019", "\u201c", "\x00", "\ud800", "\u202e", "\U0001f600", "\u0130"),
    *("`", "'", '"', "\\", "(", ")", "[", "]", "--", "/*", "*/", ";", "$", "@", "?", ":", "{", "}", "#", "\n", "."),
]
_OPERATORS = _words(
    "= == <> != < <= > >= <=> + - * / % DIV || & | ^ ~ ! AND OR NOT IN BETWEEN LIKE ILIKE RLIKE REGEXP IS NULL :: . , "
    "-> => contains matches then when"
)
_FIELDS = [field.name for field in SCHEMA] + ["event", "device.geo.lat", "items[0].price", "items.sku", "tags[0]"]
_TYPES = _words("string bigint int double boolean date timestamp decimal(38,37) decimal(5,2) binary array<int>")


class Mutator:
    """Makes texts out of a pool; the same seed makes the same texts as long as the same ones are kept.

    Args:
        bait: Fragments that would do something which can be seen, were they ever run.
    """

    def __init__(self, chance: random.Random, bait: Sequence[str]) -> None:
        self.chance = chance
        self.bait = list(bait)
        self.honest = [*HONEST, *(function.example for function in FUNCTIONS.values())]
        self.hostile = [text for text in HOSTILE if len(text) < 500] + self.bait
        self.kept: list[str] = []

    def seeds(self) -> list[str]:
        """Return the texts that everything else is made of."""
        return [*self.honest, *_SHORT, *HOSTILE, *self.bait]

    def keep(self, text: str) -> None:
        """Make further texts out of this one, too: it was accepted."""
        if len(text) > 2_000:
            return
        if len(self.kept) < MOST_KEPT:
            self.kept.append(text)
        else:
            self.kept[self.chance.randrange(MOST_KEPT)] = text

    def text(self) -> str:
        """Return another text."""
        text = self.base()
        for _ in range(self.chance.choice((1, 1, 1, 2, 2, 3, 5))):
            text = self.chance.choice(self.operations)(self, text)[:LONGEST]
        return text

    def base(self) -> str:
        draw = self.chance.random()
        if draw < 0.15:
            return self.chance.choice(_SHORT)
        if draw < 0.3:
            return self.chance.choice(self.hostile)
        if draw < 0.55 and self.kept:
            return self.chance.choice(self.kept)
        return self.chance.choice(self.honest)

    def other(self) -> str:
        """Return a text to take something from: mostly an honest one."""
        return self.chance.choice(self.hostile if self.chance.random() < 0.2 else self.honest)

    # Operations

    def splice(self, text: str) -> str:
        """The beginning of one text and the end of another."""
        left, right = _tokens(text), _tokens(self.base())
        return "".join(left[: self.chance.randrange(len(left) + 1)] + right[self.chance.randrange(len(right) + 1) :])

    def swap_field(self, text: str) -> str:
        """Another field."""
        return self.replaced(text, lambda token: token in _FIELDS, _FIELDS)

    def swap_function(self, text: str) -> str:
        """Another function."""
        return self.replaced(text, lambda token: token.lower() in FUNCTIONS, list(FUNCTIONS))

    def swap_literal(self, text: str) -> str:
        """Another number or text."""
        options = _NUMBERS if self.chance.random() < 0.5 else _TEXTS
        return self.replaced(text, lambda token: token[0].isdigit() or token[0] in "'\"", options)

    def swap_operator(self, text: str) -> str:
        """Another operator or word of the language."""
        return self.replaced(text, lambda token: token.upper() in _OPERATORS or token.upper() in KEYWORDS, _OPERATORS)

    def swap_group(self, text: str) -> str:
        """What stands in one text's parentheses in place of what stands in another's."""
        tokens, found = _tokens(text), _groups(_tokens(text))
        from_tokens = _tokens(self.other())
        taken = _groups(from_tokens)
        if not found or not taken:
            return self.insert(text)
        start, end = self.chance.choice(found)
        begin, stop = self.chance.choice(taken)
        return "".join(tokens[:start] + from_tokens[begin:stop] + tokens[end:])

    def insert(self, text: str) -> str:
        """One token more."""
        tokens = _tokens(text)
        at = self.chance.randrange(len(tokens) + 1)
        options = self.chance.choice((_OPERATORS, _FIELDS, _NUMBERS, _TEXTS, _ODD, _TYPES, _tokens(self.other())))
        return "".join([*tokens[:at], " ", self.chance.choice(options or [""]), " ", *tokens[at:]])

    def delete(self, text: str) -> str:
        """Some tokens fewer."""
        tokens = _tokens(text)
        at = self.chance.randrange(len(tokens) + 1)
        return "".join(tokens[:at] + tokens[at + self.chance.randrange(1, 4) :])

    def repeat(self, text: str) -> str:
        """A part many times."""
        tokens = _tokens(text)
        at = self.chance.randrange(len(tokens) + 1)
        end = at + self.chance.randrange(1, 5)
        times = self.chance.choice((2, 3, 10, 49, 51, 200, 2_000))
        return "".join(tokens[:at] + tokens[at:end] * times + tokens[end:])

    def nest(self, text: str) -> str:
        """The text within parentheses or calls, several levels deep."""
        opening, closing = self.chance.choice(
            (("(", ")"), ("NOT (", ")"), ("isnull(", ")"), ("coalesce(", ", false)"), ("- ", ""), ("abs(", ")"))
        )
        levels = self.chance.choice((1, 1, 2, 10, 45, 60, 400))
        return opening * levels + text + closing * levels

    def join(self, text: str) -> str:
        """Two conditions in one."""
        other = self.other()
        form = self.chance.choice(
            (
                "({a}) AND ({b})",
                "{a} OR {b}",
                "NOT ({a}) OR ({b})",
                "if({a}, {b}, {a})",
                "({a}) = ({b})",
                "({a}) IS NOT TRUE",
                "coalesce({a}, {b})",
                "CASE WHEN {a} THEN {b} ELSE is_foreign END",
                "({a}) IN (({b}), true)",
                "cast(({a}) AS string) = 'true'",
                "when {a} then tag('x')",
            )
        )
        return form.format(a=text, b=other)

    def odd_character(self, text: str) -> str:
        """A character that looks like another, or like nothing."""
        at = self.chance.randrange(len(text) + 1)
        return text[:at] + self.chance.choice(_ODD) + text[at + self.chance.randrange(2) :]

    def other_case(self, text: str) -> str:
        """Capitals."""
        return self.replaced(text, str.isalpha, None)

    def plant(self, text: str) -> str:
        """Something that would be seen, in a place where a value or a condition stands."""
        tokens = _tokens(text)
        places = [at for at, token in enumerate(tokens) if token[0].isalnum() or token[0] in "'\""]
        if not places:
            return self.chance.choice(self.bait)
        at = self.chance.choice(places)
        return "".join([*tokens[:at], f"({self.chance.choice(self.bait)})", *tokens[at + 1 :]])

    operations = (
        *(splice, swap_field, swap_field, swap_function, swap_function, swap_literal, swap_literal, swap_operator),
        *(swap_group, swap_group, insert, delete, repeat, nest, join, join, odd_character, other_case, plant),
    )

    def replaced(self, text: str, fits: Callable[[str], bool], options: Sequence[str] | None) -> str:
        """Replace one token that fits by one of the options; None: by itself in the other case."""
        tokens = _tokens(text)
        places = [at for at, token in enumerate(tokens) if fits(token)]
        if not places:
            return text
        at = self.chance.choice(places)
        tokens[at] = self.chance.choice(options) if options is not None else tokens[at].swapcase()
        return "".join(tokens)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def _groups(tokens: list[str]) -> list[tuple[int, int]]:
    """Return where the contents of parentheses and brackets begin and end."""
    opened: list[int] = []
    groups = []
    for at, token in enumerate(tokens):
        if token in ("(", "["):
            opened.append(at + 1)
        elif token in (")", "]") and opened:
            groups.append((opened.pop(), at))
    return groups
