"""Which rules share a mask."""

from __future__ import annotations

import pytest

from sentinel.rules.compiler import CompiledCondition
from sentinel.rules.requirements import Requirement
from sentinel.streaming.query.layout import RULES_PER_MASK, Mask, arrange, rules_of_masks


def rule(**required: str) -> CompiledCondition:
    return CompiledCondition("TRUE", tuple(Requirement(name, frozenset([value])) for name, value in required.items()))


def test_every_rule_is_in_one_mask_and_no_mask_is_too_large() -> None:
    rules = [rule(merchant=f"{n}L") if n % 3 else rule(type="'a'") for n in range(500)] + [rule()] * 40
    masks = arrange(rules)
    assert sorted(index for mask in masks for index in mask.rules) == list(range(540))
    assert max(len(mask.rules) for mask in masks) <= RULES_PER_MASK


def test_a_mask_is_computed_only_for_values_that_its_rules_require() -> None:
    masks = arrange([rule(type=f"'{kind}'") for kind in "abcdefgh" for _ in range(100)])
    assert all(mask.gate is not None and mask.gate.count("'") <= 2 * 3 for mask in masks)
    assert arrange([rule(), rule()]) == (Mask((0, 1)),)


def test_of_two_fields_the_one_that_tells_more_rules_apart_is_chosen() -> None:
    masks = arrange([rule(type="'order'", merchant=f"{n}L") for n in range(100)])
    assert all("`merchant`" in (mask.gate or "") for mask in masks)


def test_a_rule_that_is_added_changes_one_mask() -> None:
    rules = [rule(merchant=f"{n}L") for n in range(90)]
    before, after = arrange(rules), arrange([*rules, rule(merchant="90L")])
    assert len(set(after) - set(before)) == 1


@pytest.mark.parametrize(
    ("values", "rules"), [([0, 0], ()), ([1, 0], (4,)), ([0, 1 << 31], (41,)), ([6, 3], (6, 8, 10, 11))]
)
def test_bits_name_rules(values: list[int], rules: tuple[int, ...]) -> None:
    masks = (Mask((4, 6, 8)), Mask(tuple(range(10, 42))))
    assert rules_of_masks(values, masks) == rules
