"""Split a rule expression into tokens: the subset of Spark's lexical grammar that a rule may use.

An allowlist of characters: what is not named here is refused with its place (comments, hints, parameter markers,
session variables, semicolons, look-alike letters), so none of it reaches a parser, neither ours nor Spark's. Literals
are decoded as Spark's `unescapeSQLString` does (sql/api, ParserUtils.scala).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sentinel.rules.issue import Issue


class TokenKind(StrEnum):
    """What a token is."""

    WORD = "word"
    QUOTED = "quoted name"
    NUMBER = "number"
    TEXT = "text"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token and its place.

    Attributes:
        text: As written, but the plain name for a quoted name.
        value: The decoded value of a number or text.
        word: The upper-case word, or the symbol; empty for quoted names and literals, which are never keywords.
        double_quoted: Of a text: whether it stands in double quotes, as names do in other databases.
    """

    kind: TokenKind
    text: str
    start: int
    end: int
    value: str | int | float | Decimal | None = None
    word: str = ""
    double_quoted: bool = False


_SPACE = re.compile(r"[ \t\r\n]+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?P<suffix>BD|bd|[A-Za-z]?)(?![A-Za-z0-9_.])")
_QUOTED = re.compile(r"`([^`]*)`(?!`)")
_RAW = re.compile(r"[rR](?:'([^']*)'|\"([^\"]*)\")")
_TEXT = re.compile(r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"", re.DOTALL)
_SYMBOL = re.compile(r"<=>|<>|!=|==|<=|>=|\|\||::|->|=>|[=<>+\-*/%(),.\[\]!&|^~]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([01][0-7]{2})|(.))", re.DOTALL)
_SIMPLE_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}

_REFUSED = {
    "--": ("comment", "A rule has no comments.", "Put the remark into the rule's description."),
    "/*": ("comment", "A rule has neither comments nor hints.", "Put the remark into the rule's description."),
    "?": ("parameter", "A rule has no parameter markers.", "Write the value itself."),
    ":": ("parameter", "A rule has no parameter markers.", "Write the value itself."),
    "@": ("variable", "A rule has no variables.", "Write the value itself."),
    "$": ("variable", "A rule has no variables.", "Write the value itself."),
    ";": ("syntax", "A rule is one expression, so it has no ';'.", "Remove it."),
}

_MOST_DIGITS = 400  # a double written out has at most 309; Python itself refuses to read integers beyond 4300


def tokenize(text: str) -> tuple[list[Token], list[Issue]]:
    """Return the tokens, with one of kind END behind the last, and what was refused."""
    tokens: list[Token] = []
    issues: list[Issue] = []
    at = 0
    while at < len(text):
        if space := _SPACE.match(text, at):
            at = space.end()
            continue
        token, issue, at = _next(text, at)
        if token:
            tokens.append(token)
        if issue:
            issues.append(issue)
            if token is None and issue.code in ("comment", "unclosed"):
                break
    tokens.append(Token(TokenKind.END, "", len(text), len(text)))
    return tokens, issues


def _next(text: str, at: int) -> tuple[Token | None, Issue | None, int]:  # noqa: PLR0911 - one per kind of token
    for opening in ("--", "/*"):
        if text.startswith(opening, at):
            return None, _refusal(opening, at, len(text)), len(text)
    if (raw := _RAW.match(text, at)) is not None:
        value = raw.group(1) if raw.group(1) is not None else raw.group(2)
        return _text_token(text, at, raw.end(), value)
    if (word := _WORD.match(text, at)) is not None:
        return Token(TokenKind.WORD, word.group(), at, word.end(), word=word.group().upper()), None, word.end()
    if text[at].isascii() and (text[at].isdigit() or re.match(r"\.\d", text[at : at + 2])):
        return _number(text, at)
    if text[at] in "'\"":
        return _quoted_text(text, at)
    if text[at] == "`":
        if (quoted := _QUOTED.match(text, at)) is not None:
            return Token(TokenKind.QUOTED, quoted.group(1), at, quoted.end()), None, quoted.end()
        return None, _unclosed("`", at, len(text)), len(text)
    if (symbol := _SYMBOL.match(text, at)) is not None:
        return Token(TokenKind.SYMBOL, symbol.group(), at, symbol.end(), word=symbol.group()), None, symbol.end()
    if text[at] in _REFUSED:
        return None, _refusal(text[at], at, at + 1), at + 1
    return None, _odd_character(text, at), at + 1


def _refusal(opening: str, start: int, end: int) -> Issue:
    code, message, suggestion = _REFUSED[opening]
    return Issue("error", code, start, end, message, suggestion)


def _unclosed(quote: str, start: int, end: int) -> Issue:
    return Issue("error", "unclosed", start, end, f"The {quote} that opens here is never closed.", f"Add {quote}.")


def _odd_character(text: str, at: int) -> Issue:
    name = unicodedata.name(text[at], "unnamed")
    message = f"The character U+{ord(text[at]):04X} ({name}) means nothing outside of quotes."
    return Issue("error", "character", at, at + 1, message, "Names and operators are plain ASCII.")


def _number(text: str, at: int) -> tuple[Token | None, Issue | None, int]:
    found = _NUMBER.match(text, at)
    if found is None:
        end = re.compile(r"[A-Za-z0-9_.]+").match(text, at).end()  # type: ignore[union-attr]
        message = f"{text[at:end]!r} is not a number."
        return _placeholder(at, end, Issue("error", "number", at, end, message, "Write 5, 1.5 or 1e3."))
    suffix = found.group("suffix").upper()
    digits = found.group()[: len(found.group()) - len(suffix)]
    value: int | float | Decimal | None = None
    if len(digits) > _MOST_DIGITS:
        message = f"The number {digits[:20]}... has {len(digits)} characters; at most {_MOST_DIGITS} are read."
        longest = "At most 38 digits, or 1.79e308 as double."
        return _placeholder(at, found.end(), Issue("error", "number", at, found.end(), message, longest))
    if suffix in ("", "L") and digits.isdigit():
        value = int(digits)
    elif suffix == "BD" or (not suffix and "e" not in digits.lower()):
        value = Decimal(digits)
    elif suffix in ("", "D"):
        value = float(digits)
    if value is None:
        message = f"The number {found.group()!r} has a suffix that rules do not know."
        way_out = "Write it without suffix, or with L (64-bit integer), D (double) or BD (decimal)."
        return _placeholder(at, found.end(), Issue("error", "number", at, found.end(), message, way_out))
    issue = _too_large(found.group(), value, suffix, at, found.end())
    if issue is not None:
        return _placeholder(at, found.end(), issue)
    return Token(TokenKind.NUMBER, found.group(), at, found.end(), value), None, found.end()


def _placeholder(start: int, end: int, issue: Issue) -> tuple[Token, Issue, int]:
    return Token(TokenKind.NUMBER, "0", start, end, 0), issue, end


def _too_large(written: str, value: int | float | Decimal, suffix: str, start: int, end: int) -> Issue | None:
    if isinstance(value, float):
        fits = value not in (float("inf"), float("-inf"))
    elif isinstance(value, int):
        fits = value < 2**63 if suffix == "L" else len(str(value)) <= 38
    else:
        _, digits, exponent = value.as_tuple()
        scale = -int(exponent)
        fits = 0 <= scale <= 38 and max(len(digits), scale) <= 38
    if fits:
        return None
    message = f"The number {written[:60]} is larger than any type holds."
    return Issue("error", "number", start, end, message, "At most 38 digits, or 1.79e308 as double.")


def _quoted_text(text: str, at: int) -> tuple[Token | None, Issue | None, int]:
    found = _TEXT.match(text, at)
    if found is None:
        return None, _unclosed(text[at], at, len(text)), len(text)
    quote = text[at]
    inner = found.group()[1:-1].replace(quote * 2, "\\" + quote) if quote * 2 in found.group()[1:-1] else None
    lost = _lost_backslash(text, at + 1, found.end() - 1)
    token, issue, end = _text_token(text, at, found.end(), _unescape(inner or found.group()[1:-1]))
    return token, lost or issue, end


def _lost_backslash(text: str, start: int, end: int) -> Issue | None:
    """Return an issue for the first backslash that Spark drops.

    Before a letter or digit it never was accepted. Before any other sign it is a warning here, since rules that are
    stored may have it and mean what they always meant; `dsl.check` refuses it in a text that is new.
    """
    dropped = [
        escape
        for escape in _ESCAPE.finditer(text, start, end)
        if escape.group(4) and escape.group(4) not in _SIMPLE_ESCAPES and escape.group(4) not in "\\'\""
    ]
    if not dropped:
        return None
    escape = next((each for each in dropped if each.group(4).isalnum()), dropped[0])
    letter = escape.group(4)
    message = f"In a text literal \\{letter} is just {letter!r}: the backslash would be lost."
    raw = raw_text(text, start - 1, end + 1) or "r'...'"
    way_out = f"Write \\\\{letter}, or put r before the quote: {raw}."
    return Issue("error" if letter.isalnum() else "warning", "escape", escape.start(), escape.end(), message, way_out)


def raw_text(text: str, start: int, end: int) -> str | None:
    """Return the text literal at that place as one with r before the quote, if that can say the same signs."""
    inner, quote = text[start + 1 : end - 1], text[start]
    return None if quote in inner else f"r{quote}{inner}{quote}"


def _unescape(inner: str) -> str:
    def decoded(escape: re.Match[str]) -> str:
        short, long, octal, letter = escape.groups()
        if short or long:
            code = int(short or long, 16)
            return chr(code) if code <= 0x10FFFF else "\ud800"
        if octal:
            return chr(int(octal, 8))
        return _SIMPLE_ESCAPES.get(letter, letter)

    return _ESCAPE.sub(decoded, inner)


def _text_token(text: str, start: int, end: int, value: str) -> tuple[Token, Issue | None, int]:
    issue = None
    if any(unicodedata.category(character) in ("Cs", "Cc") and character not in "\t\r\n" for character in value):
        message = "A text literal may not hold control characters or halves of a surrogate pair."
        raw = raw_text(text, start, end) if "\\b" in text[start:end] and text[start] in "'\"" else None
        way_out = "Remove them."
        if raw is not None:
            message = "In a text literal \\b is the control character backspace, which a rule may not hold."
            way_out = f"Write {raw}."
        issue = Issue("error", "character", start, end, message, way_out)
    token = Token(TokenKind.TEXT, text[start:end], start, end, value, double_quoted=text[start] == '"')
    return token, issue, end
