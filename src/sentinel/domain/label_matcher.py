"""Labels of alerts, and what routes, silences and inhibitions say of them.

The form of a matcher and its meaning follow Alertmanager (https://prometheus.io/docs/alerting/latest/configuration/#matcher):
`name="value"`, `!=`, `=~`, `!~`; a label that is absent is the empty text; patterns hold for the whole value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import re2

from sentinel.errors import InvalidError

MAX_VALUE_CHARACTERS = 500
FIXED_LABELS = ("pipeline", "rule", "severity", "tag", "source", "detector")
ALERT_LABEL = "alert"
"""Groups by it hold one alert each."""
_NAME = re.compile(r"pipeline|rule|severity|tag|source|detector|alert|entity\.[A-Za-z_][A-Za-z0-9_]{0,127}")
_MATCHER = re.compile(
    r"""\s* ([A-Za-z][A-Za-z0-9_.]*) \s* (=~|!~|!=|=) \s* (?: "((?:[^"\\]|\\.)*)" | ([^\s"=~][^\s"]*|) ) \s*""",
    re.DOTALL | re.VERBOSE,
)

Labels = Mapping[str, Sequence[str]]
"""Name -> values; `tag` may have several, all others one."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """Says whether alerts have a label.

    Attributes:
        text: As the user wrote it.
        operator: `=`, `!=`, `=~` or `!~`.
        pattern: What `=~` and `!~` look for, compiled.
    """

    name: str
    operator: str
    value: str
    text: str = field(compare=False)
    pattern: Any = field(default=None, compare=False, repr=False)

    def matches(self, labels: Labels) -> bool:
        """Return whether it holds; for a label of several values: whether `=` and `=~` hold for one of them, and `!=`
        and `!~` for all.
        """
        values = labels.get(self.name) or ("",)
        if self.operator in ("=", "!="):
            found = self.value in values
        else:
            found = any(self.pattern.fullmatch(value) is not None for value in values)
        return found == (self.operator in ("=", "=~"))


def matcher_of(text: str) -> Matcher:
    """Read a matcher.

    Raises:
        InvalidError: It is none; the message says why.
    """
    read = _MATCHER.fullmatch(text)
    if read is None:
        raise InvalidError(f'{text[:200]!r} is no matcher; write one like severity="critical" or rule=~"card_.*"')
    name, operator = read.group(1), read.group(2)
    value = re.sub(r"\\(.)", r"\1", read.group(3), flags=re.DOTALL) if read.group(3) is not None else read.group(4)
    check_label(name)
    if len(value) > MAX_VALUE_CHARACTERS:
        raise InvalidError(f"the value in a matcher has at most {MAX_VALUE_CHARACTERS} characters")
    pattern = None
    if operator in ("=~", "!~"):
        try:
            pattern = _compiled(value)
        except re2.error as error:
            said = error.args[0] if error.args else error
            told = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
            raise InvalidError(f"{value[:200]!r} is no pattern of RE2: {told}") from error
    return Matcher(name, operator, value, text.strip(), pattern)


known_matcher_of = lru_cache(maxsize=16_384)(matcher_of)
"""The same, for texts that are read again and again."""


def check_label(name: str) -> None:
    """Refuse what is no label.

    Raises:
        InvalidError: It is none.
    """
    if not _NAME.fullmatch(name):
        raise InvalidError(
            f"{name[:128]!r} is no label; there are {', '.join(FIXED_LABELS)}, {ALERT_LABEL}, and entity.<field>"
        )


def all_match(matchers: Sequence[Matcher], labels: Labels) -> bool:
    """Return whether every matcher holds; where there is none, they do."""
    return all(matcher.matches(labels) for matcher in matchers)


def value_of(labels: Labels, name: str) -> str:
    """Return a label as one text: several values are sorted and separated by commas; empty where it is absent."""
    return ",".join(sorted(labels.get(name, ())))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    return re2.compile(pattern, options)
