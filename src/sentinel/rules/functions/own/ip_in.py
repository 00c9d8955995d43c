"""ip_in: whether an IPv4 address lies in a network in CIDR notation (RFC 4632)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from sentinel.rules.bound import Bound
from sentinel.rules.functions.base import Accepts, Argument, RuleFunction, text
from sentinel.rules.literals import text_literal
from sentinel.rules.types import BOOLEAN

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
# Not $, which also matches before a line break at the end.
_ADDRESS = rf"^{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}\z"


def _problem(cidr: str) -> str | None:
    try:
        ipaddress.IPv4Network(cidr)
    except ValueError as error:
        return f"{error}. Write an IPv4 network such as '10.0.0.0/8'."
    return None


def _build(arguments: Sequence[Bound], sql: Sequence[str]) -> str:
    address = sql[0]
    network = ipaddress.IPv4Network(str(arguments[1].literal))
    low, high = int(network.network_address), int(network.broadcast_address)
    parts = [
        f"try_multiply(TRY_CAST(split_part({address}, '.', {place}) AS BIGINT), {256 ** (4 - place)}L)"
        for place in range(1, 5)
    ]
    number = f"try_add(try_add({parts[0]}, {parts[1]}), try_add({parts[2]}, {parts[3]}))"
    is_version_4 = f"{address} RLIKE {text_literal(_ADDRESS)}"
    inside = f"({number} >= {low}L AND {number} <= {high}L)"
    # An address of version 6 is in no network of version 4; what is no address at all is unknown.
    return f"when({is_version_4}, {inside}, contains({address}, ':'), FALSE)"


FUNCTION = RuleFunction(
    "ip_in",
    (text("address"), Argument("network", Accepts.LITERAL_TEXT, low=1, high=40, problem=_problem)),
    BOOLEAN,
    "ip_in(device.ip, '10.0.0.0/8')",
    "whether an IPv4 address lies in a network; false for IPv6, null for what is no address",
    build=_build,
    own=True,
)
