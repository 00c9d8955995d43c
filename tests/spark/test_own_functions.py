"""Functions of our own, against Python's answers."""

from __future__ import annotations

import ipaddress
import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.rules.checker import check
from sentinel.rules.compiler import compile_condition
from sentinel.rules.functions.own.in_polygon import corners_of
from sentinel.rules.functions.own.is_weekend import known_zones
from sentinel.streaming.query.gate import refusals
from sentinel.streaming.query.session import evaluation_session

pytestmark = pytest.mark.spark

SCHEMA = EventSchema.from_json(
    [
        {"name": name, "type": kind}
        for name, kind in {
            "lat": "float",
            "lon": "float",
            "lat2": "float",
            "lon2": "float",
            "a": "string",
            "b": "string",
            "at": "timestamp",
        }.items()
    ]
)
TYPES = "lat double, lon double, lat2 double, lon2 double, a string, b string, at timestamp"
FENCE = "10 10, 10 40, 25 25, 40 40, 40 10, 25 15"


def verdicts(spark: SparkSession, rule: str, rows: Sequence[dict[str, object]]) -> list[bool | None]:
    names = [part.split()[0] for part in TYPES.split(", ")]
    data = [tuple(row.get(name) for name in names) for row in rows]
    events = evaluation_session(spark).createDataFrame(data, TYPES).select(F.struct(*names).alias("event"))
    compiled = compile_condition(rule, SCHEMA)
    return [row[0] for row in events.select(F.expr(compiled.sql)).collect()]


def haversine(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    across = math.sin((phi2 - phi1) / 2) ** 2
    along = math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 2 * 6371.0088 * math.asin(min(1.0, math.sqrt(across + math.cos(phi1) * math.cos(phi2) * along)))


def test_distance_km(spark: SparkSession) -> None:
    chance = random.Random(1)
    places = [
        {
            "lat": chance.uniform(-90, 90),
            "lon": chance.uniform(-180, 180),
            "lat2": chance.uniform(-90, 90),
            "lon2": chance.uniform(-180, 180),
        }
        for _ in range(300)
    ]
    right = [haversine(p["lat"], p["lon"], p["lat2"], p["lon2"]) > 5000 for p in places]
    assert verdicts(spark, "distance_km(lat, lon, lat2, lon2) > 5000", places) == right
    assert 0 < sum(right) < 300
    known = [{"lat": 52.52, "lon": 13.405, "lat2": 48.8566, "lon2": 2.3522}]  # Berlin, Paris
    assert verdicts(spark, "distance_km(lat, lon, lat2, lon2) BETWEEN 877 AND 878.5", known) == [True]
    nowhere = [{"lat": 91.0, "lon": 0.0, "lat2": 0.0, "lon2": 0.0}, {"lat": None, "lon": 0.0, "lat2": 0.0, "lon2": 0.0}]
    assert verdicts(spark, "distance_km(lat, lon, lat2, lon2) >= 0", nowhere) == [None, None]


def inside(lat: float, lon: float) -> bool:
    corners = corners_of(FENCE)
    odd = False
    for (lat_a, lon_a), (lat_b, lon_b) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (lat_a > lat) != (lat_b > lat) and lon < (lon_b - lon_a) * (lat - lat_a) / (lat_b - lat_a) + lon_a:
            odd = not odd
    return odd


def test_in_polygon(spark: SparkSession) -> None:
    chance = random.Random(2)
    places = [{"lat": chance.uniform(0, 50), "lon": chance.uniform(0, 50)} for _ in range(500)]
    right = [inside(place["lat"], place["lon"]) for place in places]
    assert verdicts(spark, f"in_polygon(lat, lon, '{FENCE}')", places) == right
    assert 50 < sum(right) < 450
    assert verdicts(spark, f"in_polygon(lat, lon, '{FENCE}')", [{"lat": 20.0}]) == [None]


def test_domain_of(spark: SparkSession) -> None:
    texts = ["ann@Example.COM", "a@b@c.org", "ann", "ann@", "@x", None, "ann@ x.de "]
    for domain, right in {
        "example.com": [True, False, None, None, False, None, False],
        "c.org": [False, True, None, None, False, None, False],
        "x.de": [False, False, None, None, False, None, True],
    }.items():
        assert verdicts(spark, f"domain_of(a) = '{domain}'", [{"a": text} for text in texts]) == right


def test_ip_in(spark: SparkSession) -> None:
    chance = random.Random(3)
    addresses = [str(ipaddress.IPv4Address(chance.getrandbits(32))) for _ in range(200)]
    addresses += ["10.0.0.0", "10.255.255.255", "11.0.0.0", "9.255.255.255", "192.168.4.128", "192.168.4.127"]
    for network in ("10.0.0.0/8", "0.0.0.0/0", "192.168.4.128/25", "128.0.0.0/1", "10.0.0.0/32"):
        right = [ipaddress.ip_address(address) in ipaddress.ip_network(network) for address in addresses]
        assert verdicts(spark, f"ip_in(a, '{network}')", [{"a": address} for address in addresses]) == right
    odd = ["2001:db8::1", "256.1.1.1", "10.0.0", "10.0.0.1.2", " 10.0.0.1", "010.0.0.1", "", "10.0.0.1\n", None]
    assert verdicts(spark, "ip_in(a, '10.0.0.0/8')", [{"a": text} for text in odd]) == [False, *[None] * 8]


def test_ip_in_version_6(spark: SparkSession) -> None:
    chance = random.Random(5)
    whole = [ipaddress.IPv6Address(chance.getrandbits(128)) for _ in range(40)]
    sparse = [ipaddress.IPv6Address(chance.getrandbits(16) << chance.randrange(0, 113, 16)) for _ in range(60)]
    near = [ipaddress.IPv6Address((0x20010DB8 << 96) + chance.getrandbits(96)) for _ in range(20)]
    addresses = [text for one in [*whole, *sparse, *near] for text in (str(one), one.exploded.upper())]
    addresses += ["::", "::1", "1::", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "::ffff:10.0.0.1", "64:ff9b::192.0.2.33"]
    addresses += [
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::",
        "2001:db7:ffff::",
        "fe80::1%eth0",
    ]
    networks = [
        "2001:db8::/32",
        "::/0",
        "8000::/1",
        "::1/128",
        "fe80::/10",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "2001::/19",
    ]
    rules = [f"ip_in(a, '{network}')" for network in networks]
    for network, rule in zip(networks, rules, strict=True):
        right = [
            ipaddress.ip_address(address.partition("%")[0]) in ipaddress.ip_network(network) for address in addresses
        ]
        assert verdicts(spark, rule, [{"a": address} for address in addresses]) == right, network
        assert True in right
    odd = [
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "12345::",
        ":::",
        "1:::2",
        ":1::",
        "1::2:",
        "::g",
        "~",
        "1:2:3:4:5:6:7:~",
        "1:~:2",
        "::1.2.3",
    ]
    odd += [
        "::256.1.1.1",
        "1:2:3:4:5:6:7:8::",
        "1:2:3:4:5:6:7:1.2.3.4",
        ":",
        " ::1",
        "::1\n",
        "",
        "a" * 5000 + "::",
        None,
    ]
    assert verdicts(spark, "ip_in(a, '::/0')", [{"a": text} for text in odd]) == [None] * len(odd)
    assert verdicts(spark, "ip_in(a, '::/0')", [{"a": "10.0.0.1"}]) == [False]
    assert refusals(spark, compile_condition("ip_in(a, '2001:db8::/32')", SCHEMA).sql) == []


def test_is_weekend(spark: SparkSession) -> None:
    moments = [datetime(2024, 3, 29, tzinfo=UTC) + timedelta(minutes=97 * n) for n in range(200)]
    for zone in ("UTC", "Europe/Berlin", "Pacific/Auckland", "America/Los_Angeles"):
        right = [moment.astimezone(ZoneInfo(zone)).weekday() >= 5 for moment in moments]
        assert verdicts(spark, f"is_weekend(at, '{zone}')", [{"at": moment} for moment in moments]) == right


def test_every_time_zone_that_rules_may_use_is_known_to_java(spark: SparkSession) -> None:
    known = set(spark._jvm.java.time.ZoneId.getAvailableZoneIds())  # type: ignore[union-attr]
    assert len(known_zones()) > 300
    assert known_zones() <= known


def luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return sum(digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(digits)) % 10 == 0


def test_luhn_valid(spark: SparkSession) -> None:
    chance = random.Random(4)
    numbers = [str(chance.randrange(10**12, 10**16)) for _ in range(300)]
    right = [luhn(number) for number in numbers]
    assert verdicts(spark, "luhn_valid(a)", [{"a": number} for number in numbers]) == right
    assert 10 < sum(right) < 100
    written = ["4111 1111 1111 1111", "4111-1111-1111-1112", "abc", "", None]
    assert verdicts(spark, "luhn_valid(a)", [{"a": text} for text in written]) == [True, False, False, False, None]


def edits(left: str, right: str) -> int:
    row = list(range(len(right) + 1))
    for at, character in enumerate(left, 1):
        before, row[0] = row[0], at
        for place, other in enumerate(right, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (character != other))
    return row[-1]


def test_similarity(spark: SparkSession) -> None:
    chance = random.Random(5)
    pairs = [
        ("".join(chance.choices("abc", k=chance.randrange(8))), "".join(chance.choices("abc", k=chance.randrange(8))))
        for _ in range(300)
    ]
    right = [1 - edits(a, b) / max(len(a), len(b)) > 0.5 if a or b else True for a, b in pairs]
    assert verdicts(spark, "similarity(a, b) > 0.5", [{"a": a, "b": b} for a, b in pairs]) == right
    assert verdicts(spark, "similarity(a, b) > 0", [{"a": "x" * 1001, "b": "x"}]) == [None]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("in_polygon(lat, lon, '1 1, 2 2')", "3 to 100 corners, not 2"),
        ("in_polygon(lat, lon, '1 1, 2 x, 3 3')", "'2 x' is not a corner"),
        ("in_polygon(lat, lon, '1 1, 91 2, 3 3')", "is no place"),
        ("in_polygon(lat, lon, a)", "written out"),
        ("ip_in(a, '10.0.0.1/8')", "has host bits set"),
        ("ip_in(a, '::/129')", "Write a network"),
        ("is_weekend(at, 'Mars/Olympus')", "not a time zone"),
        ("is_weekend(at)", "takes 2 arguments"),
        ("distance_km(lat, lon, lat2) > 1", "takes 4 arguments"),
    ],
)
def test_what_cannot_work_is_refused_with_the_way_out(rule: str, words: str) -> None:
    (issue, *_) = check(rule, SCHEMA).errors
    assert words in issue.message
