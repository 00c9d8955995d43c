"""Text functions."""

from __future__ import annotations

from collections.abc import Sequence

from sentinel.rules.bound import Bound
from sentinel.rules.functions.base import (
    Accepts,
    Argument,
    RuleFunction,
    added,
    registry,
    text,
    widest,
)
from sentinel.rules.limits import MAX_LEVENSHTEIN_TEXT, MAX_PADDING
from sentinel.rules.types import BOOLEAN, INTEGER, STRING

_SIZE = Argument("size", Accepts.LITERAL_SMALL, high=MAX_PADDING)
_PAD = Argument("pad", Accepts.LITERAL_TEXT, optional=True, low=1, high=10)
_CHARACTERS = Argument("characters", Accepts.TEXT, optional=True)
_OPTIONAL_LENGTH = Argument("length", Accepts.SMALL, optional=True)


def _replaced(arguments: Sequence[Bound]) -> float:
    source, search = arguments[0], arguments[1]
    inserted = len(str(arguments[2].literal)) if len(arguments) > 2 else 0
    return source.growth * max(1.0, inserted / max(1, len(str(search.literal)) if search.is_literal else 1))


def _separated(arguments: Sequence[Bound]) -> float:
    return added(arguments) * (1 + len(str(arguments[0].literal)))


def _trimmed(name: str, keyword: str, summary: str) -> RuleFunction:
    def expansion(sql: Sequence[str]) -> str:
        return f"trim({keyword} {sql[1]} FROM {sql[0]})" if len(sql) > 1 else f"{name}({sql[0]})"

    return RuleFunction(name, (text(),), STRING, f"{name}(country) = 'DE'", summary, expansion=expansion, growth=widest)


TEXT_FUNCTIONS = registry(
    RuleFunction("lower", (text(),), STRING, "lower(country) = 'de'", "in lower case", growth=widest),
    RuleFunction("lcase", (text(),), STRING, "lcase(country) = 'de'", "same as lower", growth=widest),
    RuleFunction("upper", (text(),), STRING, "upper(country) = 'DE'", "in upper case", growth=widest),
    RuleFunction("ucase", (text(),), STRING, "ucase(country) = 'DE'", "same as upper", growth=widest),
    RuleFunction("initcap", (text(),), STRING, "initcap(country) = 'De'", "words capitalized", growth=widest),
    _trimmed("trim", "BOTH", "without spaces at both ends"),
    _trimmed("ltrim", "LEADING", "without spaces at the start"),
    _trimmed("rtrim", "TRAILING", "without spaces at the end"),
    RuleFunction(
        "btrim",
        (text(), _CHARACTERS),
        STRING,
        "btrim(user_id, 'u0') = '7'",
        "without these characters at both ends",
        growth=widest,
    ),
    RuleFunction("length", (text(),), INTEGER, "length(user_id) = 4", "number of characters", narrow=True),
    RuleFunction("char_length", (text(),), INTEGER, "char_length(user_id) = 4", "same as length", narrow=True),
    RuleFunction("len", (text(),), INTEGER, "len(user_id) = 4", "same as length", narrow=True),
    RuleFunction("octet_length", (text(),), INTEGER, "octet_length(email) > 10", "bytes in UTF-8", narrow=True),
    RuleFunction("ascii", (text(),), INTEGER, "ascii(user_id) = 117", "code of the first character", narrow=True),
    RuleFunction(
        "substring",
        (text(), Argument("position", Accepts.SMALL), _OPTIONAL_LENGTH),
        STRING,
        "substring(user_id, 1, 2) = 'u0'",
        "part from a position, counted from 1 (negative: from the end)",
        growth=widest,
    ),
    RuleFunction(
        "substr",
        (text(), Argument("position", Accepts.SMALL), _OPTIONAL_LENGTH),
        STRING,
        "substr(user_id, -1) = '7'",
        "same as substring",
        growth=widest,
    ),
    RuleFunction(
        "left",
        (text(), Argument("length", Accepts.SMALL)),
        STRING,
        "left(user_id, 1) = 'u'",
        "the first characters",
        growth=widest,
    ),
    RuleFunction(
        "right",
        (text(), Argument("length", Accepts.SMALL)),
        STRING,
        "right(user_id, 1) = '7'",
        "the last characters",
        growth=widest,
    ),
    RuleFunction(
        "concat",
        (Argument("value", Accepts.PRINTABLE, repeated=True),),
        STRING,
        "concat(country, '-', user_id) = 'DE-u007'",
        "values joined; null if one is null",
        growth=added,
    ),
    RuleFunction(
        "concat_ws",
        (
            Argument("separator", Accepts.LITERAL_TEXT, high=10),
            Argument("value", Accepts.TEXT_OR_ARRAY, repeated=True),
        ),
        STRING,
        "concat_ws('-', country, user_id) = 'DE-u007'",
        "texts joined, nulls left out",
        growth=_separated,
        at_least=2,
    ),
    RuleFunction(
        "replace",
        (text(), text("search"), Argument("replacement", Accepts.LITERAL_TEXT, optional=True, high=100)),
        STRING,
        "replace(user_id, 'u', '') = '007'",
        "every occurrence replaced",
        growth=_replaced,
    ),
    RuleFunction(
        "translate",
        (
            text(),
            Argument("from", Accepts.LITERAL_TEXT, high=100),
            Argument("to", Accepts.LITERAL_TEXT, high=100),
        ),
        STRING,
        "translate(user_id, '0', 'o') = 'uoo7'",
        "characters replaced one by one",
        growth=widest,
    ),
    RuleFunction("reverse", (text(),), STRING, "reverse(user_id) = '700u'", "backwards", growth=widest),
    RuleFunction(
        "lpad",
        (text(), _SIZE, _PAD),
        STRING,
        "lpad(country, 4, '.') = '..DE'",
        "filled up, or cut, to that length at the left",
        growth=widest,
    ),
    RuleFunction(
        "rpad",
        (text(), _SIZE, _PAD),
        STRING,
        "rpad(country, 4, '.') = 'DE..'",
        "filled up, or cut, to that length at the right",
        growth=widest,
    ),
    RuleFunction("startswith", (text(), text("start")), BOOLEAN, "startswith(user_id, 'u0')", "whether it begins so"),
    RuleFunction("endswith", (text(), text("end")), BOOLEAN, "endswith(email, '.com')", "whether it ends so"),
    RuleFunction(
        "contains",
        (text(), text("part")),
        BOOLEAN,
        "contains(email, '@')",
        "whether it holds the part; of an array, whether it holds the value",
    ),
    RuleFunction(
        "instr",
        (text(), text("part")),
        INTEGER,
        "instr(email, '@') > 1",
        "place of the part, counted from 1; 0: not there",
        narrow=True,
    ),
    RuleFunction(
        "locate",
        (text("part"), text(), Argument("from", Accepts.SMALL, optional=True)),
        INTEGER,
        "locate('@', email) > 1",
        "place of the part, searched from a position",
        narrow=True,
    ),
    RuleFunction(
        "substring_index",
        (text(), Argument("delimiter", Accepts.LITERAL_TEXT, low=1), Argument("count", Accepts.SMALL)),
        STRING,
        "substring_index(email, '@', -1) = 'example.com'",
        "what lies before the n-th delimiter (negative: behind, from the end)",
        growth=widest,
    ),
    RuleFunction(
        "split_part",
        (
            text(),
            Argument("delimiter", Accepts.LITERAL_TEXT, low=1),
            Argument("number", Accepts.SMALL, nonzero=True),
        ),
        STRING,
        "split_part(email, '@', 2) = 'example.com'",
        "the n-th part between delimiters",
        growth=widest,
    ),
    RuleFunction(
        "regexp_like",
        (text(), Argument("pattern", Accepts.REGEX)),
        BOOLEAN,
        r"regexp_like(email, '^[^@]+@example\\.com$')",
        "whether the pattern matches somewhere, like RLIKE",
    ),
    RuleFunction(
        "regexp_extract",
        (
            text(),
            Argument("pattern", Accepts.REGEX),
            Argument("group", Accepts.LITERAL_SMALL, optional=True, high=20),
        ),
        STRING,
        "regexp_extract(email, '^([^@]+)@', 1) = 'ann'",
        "what a group of the pattern (default 1) matched first; empty: no match",
        growth=widest,
    ),
    RuleFunction(
        "regexp_count",
        (text(), Argument("pattern", Accepts.REGEX)),
        INTEGER,
        "regexp_count(user_id, '0') = 2",
        "how often the pattern matches",
        narrow=True,
    ),
    RuleFunction(
        "levenshtein",
        (text("left"), text("right")),
        INTEGER,
        "levenshtein(country, 'DK') = 1",
        f"edits between two texts of up to {MAX_LEVENSHTEIN_TEXT} characters",
        expansion=(
            f"when(length({{0}}) <= {MAX_LEVENSHTEIN_TEXT} AND length({{1}}) <= {MAX_LEVENSHTEIN_TEXT}, "
            "levenshtein({0}, {1}))"
        ),
        narrow=True,
    ),
    RuleFunction("soundex", (text(),), STRING, "soundex(country) = 'D000'", "code of its English sound"),
    RuleFunction("md5", (text(),), STRING, "left(md5(user_id), 1) = '2'", "MD5 as 32 hex digits", expansion="md5({0})"),
    RuleFunction("sha1", (text(),), STRING, "length(sha1(user_id)) = 40", "SHA-1 as 40 hex digits"),
)
