"""Which rules share a mask."""

from __future__ import annotations

import zlib

import pytest

from sentinel.rules.compiler import CompiledCondition
from sentinel.rules.literals import text_literal
from sentinel.rules.requirements import Requirement, bucket_of
from sentinel.streaming.query.layout import (
    RULES_PER_MASK,
    Branch,
    Buckets,
    Mask,
    arrange,
    bit_of,
    places_in,
    rules_of_masks,
)


def rule(**required: str) -> CompiledCondition:
    return CompiledCondition("TRUE", tuple(Requirement(name, frozenset([value])) for name, value in required.items()))


def test_every_rule_is_in_one_mask_and_no_mask_is_too_large() -> None:
    rules = [rule(merchant=f"{n}L") if n % 3 else rule(type="'a'") for n in range(500)] + [rule()] * 40
    masks = arrange(rules)
    assert sorted(index for mask in masks for index in mask.rules) == list(range(540))
    assert max(len(part) for mask in masks for _, part in mask.parts()) <= RULES_PER_MASK


def test_few_rules_are_computed_only_for_values_that_they_require() -> None:
    (mask,) = arrange([rule(type=f"'{kind}'") for kind in "abc" for _ in range(4)])
    assert mask.gate is not None
    assert mask.gate.count("'") == 2 * 3
    assert arrange([rule(), rule()]) == (Mask((0, 1)),)


def test_many_rules_are_divided_by_the_hash_of_the_value() -> None:
    values = [f"{n}L" for n in range(700)]
    masks = arrange([rule(merchant=value) for value in values])
    assert len(masks) == 4
    assert {mask.buckets for mask in masks} == {Buckets("merchant", 64)}
    for mask in masks:
        assert mask.rules == tuple(index for branch in mask.branches for index in branch.rules)
        for branch in mask.branches:
            assert {bucket_of(values[index], 64) for index in branch.rules} == {branch.bucket}


def test_what_is_true_for_several_values_or_fits_no_branch_has_a_gate() -> None:
    several = CompiledCondition("TRUE", (Requirement("merchant", frozenset(["1L", "2L"])),))
    rules = [rule(merchant=f"{n}L") for n in range(190)] + [several] + [rule(merchant="5L")] * 40
    masks = arrange(rules)
    assert sorted(index for mask in masks for index in mask.rules) == list(range(231))
    gated = [mask for mask in masks if mask.gate is not None]
    assert any(190 in mask.rules for mask in gated)
    assert all(not mask.branches for mask in gated)
    assert max(len(part) for mask in masks for _, part in mask.parts()) <= RULES_PER_MASK


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("5L", "5"),
        ("(-5L)", "-5"),
        (text_literal("it's \\ \n\t\r ü"), "it's \\ \n\t\r ü"),
        ("'n'", "n"),
        (text_literal("\\n"), "\\n"),
    ],
)
def test_the_bucket_is_that_of_the_text(literal: str, text: str) -> None:
    assert bucket_of(literal, 1024) == zlib.crc32(text.encode()) % 1024


def test_other_values_have_no_bucket() -> None:
    assert bucket_of("TRUE", 4) is None
    assert bucket_of("'\ud800'", 4) is None


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


def test_the_number_of_a_branch_stands_above_the_bits() -> None:
    branches = (Branch(3, (7, 9)), Branch(8, (2, 5)))
    mask = Mask((7, 9, 2, 5), None, Buckets("merchant", 16), branches)
    assert list(places_in(mask)) == [(0, 0, 7), (0, 1, 9), (1, 0, 2), (1, 1, 5)]
    assert rules_of_masks([bit_of(0, 1)], [mask]) == (9,)
    assert rules_of_masks([bit_of(1, 0) | bit_of(1, 1)], [mask]) == (2, 5)
    assert rules_of_masks([0], [mask]) == ()
