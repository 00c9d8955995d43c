"""Names of Kafka topics."""

from __future__ import annotations

import re

MAX_TOPIC_LENGTH = 249
ENGINE_TOPIC_PREFIX = "sentinel."

_LEGAL = re.compile(r"[A-Za-z0-9._-]+")


def topic_problem(name: str) -> str | None:
    """Return what is wrong with a topic name for a pipeline's source, None when nothing is.

    The first three are Kafka's own rules (org.apache.kafka.common.internals.Topic).
    """
    if name in {"", ".", ".."}:
        return f"{name!r} is not a topic name: Kafka refuses '', '.' and '..'"
    if len(name) > MAX_TOPIC_LENGTH:
        return f"the topic name has {len(name)} characters; Kafka allows {MAX_TOPIC_LENGTH}"
    if not _LEGAL.fullmatch(name):
        wrong = sorted({character for character in name if not _LEGAL.fullmatch(character)})
        return (
            f"the topic name {name!r} has characters that Kafka refuses ({', '.join(map(repr, wrong[:5]))}); "
            "use ASCII letters, digits, '.', '_' and '-'"
        )
    if name.startswith((ENGINE_TOPIC_PREFIX, "__")):
        return f"topics that begin with {ENGINE_TOPIC_PREFIX!r} or '__' belong to the engine and to Kafka"
    return None
