"""From Sigma rules in YAML to rules of a pipeline: what can be expressed exactly, and why the rest cannot."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetectionItem, SigmaRule

from sentinel.documents import Document, read_file, yaml_files
from sentinel.domain.event_schema import EventSchema
from sentinel.domain.rule import Severity
from sentinel.errors import ErrorDetail, InvalidError
from sentinel.rules.checker import check
from sentinel.sigma.backend import SentinelBackend
from sentinel.sigma.mapping import LogSource, Mapping

MAX_DESCRIPTION = 2_000
MAX_CONDITION = 2_000
MAX_NESTING = 20
LEVELS = {
    "critical": Severity.CRITICAL,
    "high": Severity.CRITICAL,
    "medium": Severity.WARNING,
    "low": Severity.INFO,
    "informational": Severity.INFO,
}
"""Sigma's level -> severity; a rule without a level is a warning."""

_OTHER_KINDS = {"correlation": "a correlation rule", "filter": "a filter", "action": "part of a rule collection"}


@dataclass(frozen=True, slots=True)
class SigmaSource:
    """One Sigma rule as it was written."""

    where: str
    value: dict[str, Any]

    @property
    def title(self) -> str:
        """Its title, or where it stands."""
        title = self.value.get("title")
        return title if isinstance(title, str) and title else self.where


@dataclass(frozen=True, slots=True)
class ConvertedRule:
    """A Sigma rule in the language of rules.

    Attributes:
        sigma_id: Its id; of a rule without one, derived from its title.
        warnings: What an operator should know of it, as sentences.
    """

    sigma_id: uuid.UUID
    title: str
    condition: str
    severity: Severity
    description: str
    where: str
    warnings: tuple[str, ...] = ()


def read_sigma(source: Path) -> tuple[list[SigmaSource], list[ErrorDetail]]:
    """Return the Sigma rules of a file, or of all YAML files below a directory, and what is no Sigma rule.

    Raises:
        InvalidError: There is no such file or directory, or no YAML file in it.
    """
    rules: list[SigmaSource] = []
    problems: list[ErrorDetail] = []
    files = yaml_files(source)
    if not files:
        raise InvalidError(f"there is no YAML file in {str(source)!r}")
    for path in files:
        try:
            documents = read_file(path)
        except InvalidError as error:
            problems.append(ErrorDetail(str(path), error.message.removeprefix(f"{path}:").strip()))
            continue
        for document in documents:
            problem = _not_a_rule(document)
            if problem:
                problems.append(ErrorDetail(document.where(), problem))
            else:
                rules.append(SigmaSource(document.where(), document.value))
    return rules, problems


def _not_a_rule(document: Document) -> str | None:
    if not isinstance(document.value, dict):
        return "a Sigma rule is a mapping with title, logsource and detection"
    for key, kind in _OTHER_KINDS.items():
        if key in document.value:
            return f"it is {kind}, which has no counterpart here; only rules of single events are taken"
    return None


def convert_all(
    sources: Iterable[SigmaSource], schema: EventSchema, mapping: Mapping
) -> tuple[list[ConvertedRule], list[ErrorDetail]]:
    """Convert rules for events of one schema.

    Returns:
        What could be converted, and a problem for each rule that could not: where it stands, and a sentence that names
        the rule, and field and modifier if it is about one.
    """
    rules: list[ConvertedRule] = []
    problems: list[ErrorDetail] = []
    places: dict[uuid.UUID, str] = {}
    backend = SentinelBackend(schema, mapping)
    for source in sources:
        try:
            rule = convert(source, backend)
        except InvalidError as error:
            problems.append(ErrorDetail(source.where, f"rule {source.title!r}: {error.message}"))
            continue
        first = places.setdefault(rule.sigma_id, rule.where)
        if first != rule.where:
            problems.append(ErrorDetail(rule.where, f"rule {rule.title!r}: id {rule.sigma_id} is that of {first}, too"))
            continue
        rules.append(rule)
    return rules, problems


def convert(source: SigmaSource, backend: SentinelBackend) -> ConvertedRule:
    """Convert one rule.

    Raises:
        InvalidError: It is not a Sigma rule, or cannot be expressed.
    """
    try:
        _bounded(source.value)
        rule = _parsed(source.value)
        log_source, warnings = _log_source(rule, backend.mapping)
        condition = backend.condition_of(rule, log_source)
    except SigmaError as error:
        raise InvalidError(str(error.args[0]) if error.args else type(error).__name__) from error
    except (AttributeError, IndexError, KeyError, NotImplementedError, RecursionError, TypeError, ValueError) as error:
        # pySigma takes much for granted of what a rule holds; whatever it trips over is in the rule.
        raise InvalidError(f"it is not a Sigma rule: {type(error).__name__}: {str(error)[:200]}") from error
    if condition in ("TRUE", "FALSE"):
        raise InvalidError(f"with this mapping its condition is always {condition.lower()}")
    checked = check(condition, backend.schema)
    if not checked.valid:
        said = "; ".join(dict.fromkeys(issue.message for issue in checked.errors))
        raise InvalidError(f"the language of rules refuses its condition: {said}")
    warnings += [issue.message for issue in checked.issues]
    level = str(rule.level) if rule.level is not None else ""
    severity = backend.mapping.levels.get(level) or LEVELS.get(level, Severity.WARNING)
    sigma_id = rule.id if isinstance(rule.id, uuid.UUID) else uuid.uuid5(uuid.NAMESPACE_URL, f"sigma:{rule.title}")
    title = "".join(sign if sign.isprintable() else "\ufffd" for sign in " ".join(rule.title.split()))
    description = describe(rule, title, sigma_id)
    return ConvertedRule(sigma_id, title, condition, severity, description, source.where, tuple(warnings))


def _parsed(value: dict[str, Any]) -> SigmaRule:
    """Return the rule.

    Raises:
        SigmaError: It is none; the message names the field and its modifiers where it is about one.
    """
    try:
        return SigmaRule.from_dict(value)
    except SigmaError as error:
        said = re.sub(r"b'([^']*)'$", r"\1", str(error.args[0]) if error.args else type(error).__name__)
        key = next(_broken_keys(value.get("detection")), None)
        raise SigmaError(f"field {key}: {said}" if key else said) from error


def _broken_keys(detection: Any) -> Iterator[str]:
    """Yield the keys (`field|modifier`) of a detection that pySigma refuses."""
    if isinstance(detection, list):
        for item in detection:
            yield from _broken_keys(item)
    elif isinstance(detection, dict):
        for key, item in detection.items():
            if isinstance(item, dict) or (isinstance(item, list) and any(isinstance(each, dict) for each in item)):
                yield from _broken_keys(item)
            elif key != "condition":
                try:
                    SigmaDetectionItem.from_mapping(key, item)
                except SigmaError:
                    yield key
                except (AttributeError, TypeError, ValueError):
                    continue


def describe(rule: SigmaRule, title: str, sigma_id: uuid.UUID) -> str:
    """Return what is kept of a rule in words: title, origin with author (its licence asks for that), tags, description.

    The first line is the title, the second names the id; a text that is too long loses its end.
    """
    facts = [f"Sigma rule {sigma_id}"]
    if rule.author:
        facts.append(f"by {' '.join(rule.author.split())}")
    if rule.level is not None:
        facts.append(f"level {rule.level}")
    if rule.status is not None:
        facts.append(f"status {rule.status}")
    if rule.tags:
        facts.append(f"tags {' '.join(map(str, rule.tags))}")
    if rule.license:
        facts.append(f"license {rule.license}")
    parts = [title, "; ".join(facts)]
    if rule.description:
        parts.append(rule.description.strip())
    if rule.falsepositives:
        parts.append("False positives: " + "; ".join(str(item) for item in rule.falsepositives))
    if rule.references:
        parts.append("References: " + " ".join(str(item) for item in rule.references))
    text = "\n".join(parts).replace("\x00", "")
    return text if len(text) <= MAX_DESCRIPTION else text[: MAX_DESCRIPTION - 1] + "…"


def _log_source(rule: SigmaRule, mapping: Mapping) -> tuple[LogSource | None, list[str]]:
    source = rule.logsource
    parts = {"product": source.product, "category": source.category, "service": source.service}
    named = ", ".join(f"{key} {value}" for key, value in parts.items() if value)
    if mapping.logsources is None:
        return None, [f"its log source ({named}) is not checked: the mapping has no `logsources`"]
    found = mapping.log_source(**parts)
    if found is None:
        raise InvalidError(
            f"log source ({named}) is not in the mapping; say under `logsources` which events it stands for "
            "(`when: {}` if all are)"
        )
    return found, []


def _bounded(value: dict[str, Any]) -> None:
    """Refuse conditions whose parsing could take very long.

    Raises:
        InvalidError: A condition is too long or nested too deeply.
    """
    detection = value.get("detection")
    conditions = detection.get("condition") if isinstance(detection, dict) else None
    for condition in conditions if isinstance(conditions, list) else [conditions]:
        if not isinstance(condition, str):
            raise InvalidError("it has no `condition`, or one that is not a text, under `detection`")
        nesting = depth = 0
        for character in condition:
            depth += (character == "(") - (character == ")")
            nesting = max(nesting, depth)
        if len(condition) > MAX_CONDITION or nesting > MAX_NESTING or condition.count("not ") > 200:
            raise InvalidError(
                f"its condition is longer than {MAX_CONDITION} characters or nested deeper than {MAX_NESTING} levels"
            )
