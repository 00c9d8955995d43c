"""What Spark reads from texts, as Python says it; Spark itself is asked in tests/spark/test_record_judges.py."""

from __future__ import annotations

import pytest

from sentinel.domain.event_schema import DecimalType
from sentinel.domain.json_document import Number
from sentinel.domain.spark_values import decimal_fits, epoch_fits, is_date, is_time

PRICE = DecimalType(10, 2)


class TestDecimals:
    @pytest.mark.parametrize(
        "text",
        [
            "1",
            "+1",
            "-.5",
            "5.",
            "1e2",
            "12.50",
            " 1 ",
            "\x001\x1f",
            "10.990000",
            "1e-99",
            f"0.{'0' * 38}1",
            "99999999.99",
        ],
    )
    def test_a_text_that_fits(self, text: str) -> None:
        assert decimal_fits(text, PRICE) is True

    @pytest.mark.parametrize(
        "text", ["10.999", "100000000", "99999999.995", "1e001", "1e-1000000000", "0." + "0" * 29 + "5"]
    )
    def test_a_text_that_would_be_rounded_or_is_too_large(self, text: str) -> None:
        assert decimal_fits(text, PRICE) is False

    @pytest.mark.parametrize("text", ["", "x", "1d", "0x1", "１", "1e１", "\u00a01", "1\x7f", "--1", "1" * 1_001])
    def test_a_text_that_is_no_number(self, text: str) -> None:
        assert decimal_fits(text, PRICE) is None

    @pytest.mark.parametrize(
        ("digits", "fits"),
        [
            ("1e001", True),
            ("0e999", True),
            ("1e-400", True),
            ("1e400", False),
            ("5e-31", False),
            ("12345678.990000000000000000000000000000000000001", True),
            ("12345678.991", False),
        ],
    )
    def test_a_number_with_an_exponent_or_more_than_38_digits_is_a_double_first(self, digits: str, fits: bool) -> None:
        assert decimal_fits(Number(digits), PRICE) is fits


class TestEpochs:
    @pytest.mark.parametrize(
        ("value", "fits"),
        [
            (Number("1770091506.12345678901234567890"), True),
            (Number("1e-1000000000"), True),
            (Number("1e001"), True),
            (Number("99999999999999999"), True),
            (Number("99999999999999999.9"), False),
            (Number("1e400"), False),
            (Number("1" * 41), False),
            ("1e001", False),
            ("0e37", True),
            ("0e38", False),
            ("0.00e40", False),
            ("1" * 41, False),
            ("\x1f1 ", True),
            ("１", None),
            ("1d", None),
        ],
    )
    def test_a_number_is_a_time_within_reason(self, value: str, fits: bool | None) -> None:
        assert epoch_fits(value) is fits


class TestDates:
    @pytest.mark.parametrize(
        "text", ["2024-02-29", "0000-01-01", "2026-02-3T", "2026-02-3 ", "2026-02-3\x00", "9999-12-31"]
    )
    def test_a_date(self, text: str) -> None:
        assert is_date(text)

    @pytest.mark.parametrize("text", ["2023-02-29", "2026-13-01", "2026-00-01", "2026-02-3x", "20260203", "0001-02-30"])
    def test_none(self, text: str) -> None:
        assert not is_date(text)


class TestTimes:
    @pytest.mark.parametrize("day", ["2026-02-03", "2026-02-3", "0000-01-01"])
    @pytest.mark.parametrize(
        "rest",
        [
            "",
            " ",
            "T12",
            "T12:00",
            " 4:5:6",
            "T04:05:06.",
            "T04:05:06.123456789012",
            "T04:05:06Z",
            "T04:05:06 Z ",
            "T04:05:06\x7f",
            "T04:05:06.5+02:30:15",
            "T04:05:06+1",
            "T04:05:06+2:00",
            "T04:05:06+02:3",
            "T04:05:06+123456",
            "T04:05:06-18:00",
            "T04:05:06 UTC+03:00",
            "T04:05:06UT",
            "T04:05:06GMT-1",
        ],
    )
    def test_a_time(self, day: str, rest: str) -> None:
        assert is_time(day + rest) is True

    @pytest.mark.parametrize(
        "text",
        [
            "2026-02-03T",
            "2026-02-03T12:00Z",
            "2026-02-03T24:00:00",
            "2026-02-03T23:59:60",
            "2026-02-03T04:05:06z",
            "2026-02-30",
            "2026-02-03T04:05:06+18:01",
            "2026-02-03T04:05:06+02:60",
            "2026-02-03T04:05:061",
            "2026-02-03T04:05:06.5.5",
            "2026-02-03T04:05:06+",
            "2026-02-03T04:05:06[Europe/Berlin]",
            "2026-02-03T04:05:06 at noon",
            "10:15",
            "now",
            "",
        ],
    )
    def test_none(self, text: str) -> None:
        assert is_time(text) is False

    @pytest.mark.parametrize("zone", ["Europe/Berlin", " EST", "Nowhere/Land", "GMT0"])
    def test_of_a_zone_with_a_name_only_spark_knows(self, zone: str) -> None:
        assert is_time(f"2026-02-03T04:05:06{zone}") is None
