"""Where requests to targets that tenants named may go: names are resolved here, and each address is judged.

Special addresses: the IANA registries of special-purpose addresses, IPv4 and IPv6 (RFC 6890 and its successors).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from sentinel.errors import AddressNotAllowedError, TransientError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]

SETTING = "SENTINEL_NOTIFY__ALLOWED_NETWORKS"

_SPECIAL: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(text), what)
    for text, what in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's own"),  # Azure's host, public by its number only
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "private"),
        ("198.51.100.0/24", "reserved"),
        ("203.0.113.0/24", "reserved"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),  # Teredo, ORCHID and other assignments of protocols
        ("2001:db8::/32", "reserved"),
        ("3fff::/20", "reserved"),
    )
)
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
MAX_LOOKUPS = 64


class HostUnresolvedError(TransientError):
    """A name has no address at the moment, or nobody says in time."""

    slug = "host-unresolved"
    title = "The name does not resolve"


def meant_address(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one carries: mapped (RFC 4291), 6to4 (RFC 3056), NAT64 (RFC 6052)."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def why_not_public(address: Address) -> str | None:
    """Return what an address is instead of public; None: it is."""
    meant = meant_address(address)
    for network, what in _SPECIAL:
        if meant in network:
            return what
    if isinstance(meant, IPv6Address) and meant not in _GLOBAL_IPV6:
        return "reserved"
    return None if meant.is_global else "reserved"


class AddressGuard:
    """Resolves names and refuses addresses that are not public, but for networks that the operator allowed.

    What it returns is to be connected to as it is: a name that is resolved again may lead elsewhere by then.
    Thread-safe.
    """

    def __init__(self, allowed: Sequence[Network] = (), resolve: Resolver | None = None) -> None:
        self._allowed = tuple(allowed)
        self._resolve = resolve or resolve_by_system
        self._lookups = threading.BoundedSemaphore(MAX_LOOKUPS)

    def addresses(self, host: str, port: int, *, is_encrypted: bool, timeout_seconds: float) -> list[str]:
        """Return the addresses of a host, all of which may be connected to.

        Args:
            host: A name in ASCII, or an address in any form that the system takes: `127.1` and `0x7f000001` are
                judged by what they lead to.
            is_encrypted: Whether TLS is spoken there. Without it only allowed networks are reached.

        Raises:
            AddressNotAllowedError: At least one of them may not be reached. Of a name the message says only what kind
                of address it leads to, so that nobody reads an internal name server by it.
            HostUnresolvedError: There is none, or not in time.
        """
        found = self._lookup(host, port, timeout_seconds)
        for text in found:
            self._judge(host, ip_address(text), is_encrypted=is_encrypted)
        return found

    def _judge(self, host: str, address: Address, *, is_encrypted: bool) -> None:
        if any(candidate in network for candidate in (address, meant_address(address)) for network in self._allowed):
            return
        what = why_not_public(address)
        if what is not None:
            raise AddressNotAllowedError(
                f"{host} leads to an address that is not public but {what}; the operator opens a network by {SETTING}"
            )
        if not is_encrypted:
            raise AddressNotAllowedError(
                f"{host} is to be reached without TLS, which only networks in {SETTING} are; use TLS (https)"
            )

    def _lookup(self, host: str, port: int, timeout_seconds: float) -> list[str]:
        """Resolve in a thread of its own: the system's resolver knows no time limit."""
        answer: list[Sequence[str] | Exception] = []

        def look_up() -> None:
            try:
                answer.append(self._resolve(host, port))
            except (OSError, UnicodeError, ValueError) as error:
                answer.append(error)
            finally:
                self._lookups.release()

        if not self._lookups.acquire(timeout=max(0.0, timeout_seconds)):
            raise HostUnresolvedError(f"{host} was not resolved in time: too many names are being resolved")
        thread = threading.Thread(target=look_up, name="resolve", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._lookups.release()
            raise HostUnresolvedError(f"{host} was not resolved: no thread could be started") from error
        thread.join(max(0.0, timeout_seconds))
        if not answer:
            raise HostUnresolvedError(f"{host} was not resolved within {timeout_seconds:.3g} s")
        found = answer[0]
        if isinstance(found, Exception) or not found:
            raise HostUnresolvedError(f"{host} does not resolve to an address")
        # A zone names an interface of this machine: such an address is link-local, and no network contains it.
        return list(dict.fromkeys(text.partition("%")[0] for text in found))


def resolve_by_system(host: str, port: int) -> list[str]:
    """Return the addresses of a host in the order in which they are to be tried.

    Raises:
        OSError: There is none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
