"""The bounds of a rule: what keeps checking and evaluating one short, whatever its text says."""

from __future__ import annotations

MAX_TEXT_LENGTH = 10_000
"""Characters of a rule expression."""

MAX_DEPTH = 50
"""Levels of a parsed expression. AND and OR chains count as one level; Catalyst's recursion and ours stay shallow."""

MAX_IN_ITEMS = 10_000
"""Items of one IN list."""

MAX_SUBQUERIES = 8
"""Subqueries of one rule."""

MAX_LOOKUPS = 32
"""Different look-ups in reference tables that the active rules of a pipeline need; each costs every event something."""

MAX_COMPILED_LENGTH = 60_000
"""Characters of a compiled condition. Spark's parser needs memory for them, once more for each level of parentheses."""

MAX_REFERENCES = 100
"""Rules that a composite rule may refer to, counted with what those refer to in turn."""

MAX_REFERENCE_LEVELS = 10
"""How long a chain of rules that refer to rules may be."""

MAX_ISSUES = 100
"""Issues told of one expression; what follows is not looked at."""

MAX_TEXT_GROWTH = 8.0
"""How many times larger than the event a text may become inside a rule (concat, replace, lpad and their nesting)."""

MAX_PADDING = 1_000
"""Length that lpad and rpad may pad to."""

MAX_PATTERN_LENGTH = 1_000
"""Characters of a regular expression or LIKE pattern."""

MAX_REPEAT = 1_000
"""Upper bound of a counted repetition in a regular expression, `{m,n}`."""

PATTERN_BUDGET = 16_000_000
"""Backtracking steps that a regular expression may take on one text, at worst: about 50-100 ms of a core.

A pattern whose cost grows with the n-th power of the text's length is applied to texts of at most the n-th root of
this; for longer ones the outcome is unknown."""

MAX_LINEAR_FACTOR = 100
"""Steps per character up to which a pattern of linear cost is applied to texts of any length."""

MIN_TEXT = 100
"""A pattern that could only be applied to texts shorter than this is refused."""

MAX_PATTERN_DEGREE = 3
"""Largest exponent of that growth a pattern may have."""

MAX_GROUP_LOOP_TEXT = 1_000
"""Characters of a text a pattern with a repeated group is applied to: java.util.regex recurses once per repetition."""

MAX_LEVENSHTEIN_TEXT = 1_000
"""Characters of each text levenshtein compares; its cost is the product of both lengths."""
