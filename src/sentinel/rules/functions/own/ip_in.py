"""ip_in: whether an IP address lies in a network in CIDR notation (RFC 4632, RFC 4291).

An address of version 6 is written out in full, eight groups of four lower-case hex digits, so that the addresses of a
network are those between its first and its last one, compared as texts.
"""

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
_TAIL = rf":{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}\z"
_GROUPS = r"^(?::[0-9a-f]{4}){8}\z"
# Two gaps, three colons, or an end that lacks a group: what filling up would repair; and the mark of the gap.
_MALFORMED = r"::.*::|:::|^:[^:]|[^:]:\z|~"
_LONGEST = 100


def _problem(cidr: str) -> str | None:
    try:
        network = ipaddress.ip_network(cidr)
    except ValueError as error:
        return f"{error}. Write a network such as '10.0.0.0/8' or '2001:db8::/32'."
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.scope_id:
        return "A network has no zone. Leave out what begins with %."
    return None


def _build(arguments: Sequence[Bound], sql: Sequence[str]) -> str:
    address = sql[0]
    network = ipaddress.ip_network(str(arguments[1].literal))
    is_version_4 = f"{address} RLIKE {text_literal(_ADDRESS)}"
    if isinstance(network, ipaddress.IPv4Network):
        # An address of version 6 is in no network of version 4; what is no address at all is unknown.
        return f"when({is_version_4}, {_inside_4(address, network)}, contains({address}, ':'), FALSE)"
    return f"when({is_version_4}, FALSE, contains({address}, ':'), {_inside_6(address, network)})"


def _inside_4(address: str, network: ipaddress.IPv4Network) -> str:
    low, high = int(network.network_address), int(network.broadcast_address)
    parts = [
        f"try_multiply(TRY_CAST(split_part({address}, '.', {place}) AS BIGINT), {256 ** (4 - place)}L)"
        for place in range(1, 5)
    ]
    number = f"try_add(try_add({parts[0]}, {parts[1]}), try_add({parts[2]}, {parts[3]}))"
    return f"({number} >= {low}L AND {number} <= {high}L)"


def _inside_6(address: str, network: ipaddress.IPv6Network) -> str:
    """Return SQL; null where the text is no address. A zone (`fe80::1%eth0`) is left out."""
    bare = f"lower(substring_index({address}, '%', 1))"
    groups = f"if({bare} RLIKE {text_literal(_TAIL)}, {_with_groups_for_octets(bare)}, {bare})"
    # A colon before each group; one group, ~, for the gap.
    marked = f"replace(regexp_replace(concat(':', {groups}), '^::', ':'), '::', ':~:')"
    marked = _replaced(marked, r":\z", "")
    # Each step uses the one before once: written out with counts and parts, the text would be ten times as long.
    for most, zeros in ((4, ":0:0:0:0"), (6, ":0:0"), (7, ":0")):
        marked = _replaced(marked, rf"^(?=(?::[^:]+){{1,{most}}}\z)(.*)~", f"$1~{zeros}")
    padded = f"replace(replace({marked}, '~', '0'), ':', ':000')"
    full = _replaced(padded, ":0{0,3}([0-9a-f]{4})(?![0-9a-f])", ":$1")
    first, last = _written_out(network.network_address), _written_out(network.broadcast_address)
    inside = f"({full} >= {text_literal(first)} AND {full} <= {text_literal(last)})"
    is_sound = f"(length({address}) <= {_LONGEST} AND NOT {bare} RLIKE {text_literal(_MALFORMED)})"
    return f"when({is_sound} AND {full} RLIKE {text_literal(_GROUPS)}, {inside})"


def _replaced(sql: str, pattern: str, replacement: str) -> str:
    return f"regexp_replace({sql}, {text_literal(pattern)}, {text_literal(replacement)})"


def _with_groups_for_octets(bare: str) -> str:
    """Return SQL of an address whose last two groups are written as four octets, with groups instead."""
    tail = f"substring_index({bare}, ':', -1)"
    octets = [f"TRY_CAST(split_part({tail}, '.', {place}) AS BIGINT)" for place in range(1, 5)]
    pairs = [f"lower(hex(try_add(try_multiply({high}, 256L), {low})))" for high, low in (octets[:2], octets[2:])]
    return f"concat(substring({bare}, 1, try_subtract(length({bare}), length({tail}))), {pairs[0]}, ':', {pairs[1]})"


def _written_out(address: ipaddress.IPv6Address) -> str:
    return f":{address.exploded}"


FUNCTION = RuleFunction(
    "ip_in",
    (text("address"), Argument("network", Accepts.LITERAL_TEXT, low=1, high=50, problem=_problem)),
    BOOLEAN,
    "ip_in(device.ip, '10.0.0.0/8')",
    "whether an IP address lies in a network, '10.0.0.0/8' or '2001:db8::/32'; false for one of the other version, "
    "null for what is no address",
    build=_build,
    own=True,
)
