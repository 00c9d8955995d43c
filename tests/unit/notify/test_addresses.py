"""Addresses that requests may go to."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.errors import AddressNotAllowedError, InvalidError
from sentinel.notify.reach.addresses import AddressGuard, HostUnresolvedError, why_not_public
from sentinel.notify.reach.urls import read_url
from sentinel.settings import NotifySettings

NOWHERE = "0.0.0.0"  # noqa: S104 - nothing is bound


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:2800:21f:cb07::1", "2a00:1450::1", "2002:808:808::1",
         "64:ff9b::808:808", "::ffff:8.8.8.8"],
    )  # fmt: skip
    def test_public_ones(self, address: str) -> None:
        assert why_not_public(ip_address(address)) is None

    @pytest.mark.parametrize(
        "address",
        [NOWHERE, "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254",
         "168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
         "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
         "::", "::1", "::7f00:1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1",
         "3fff::1", "100::1", "64:ff9b:1::1", "::ffff:10.0.0.1", "2002:a00:1::1", "2002:7f00:1::", "64:ff9b::a00:1",
         "64:ff9b::a9fe:a9fe", "::ffff:0:7f00:1"],
    )  # fmt: skip
    def test_all_others(self, address: str) -> None:
        assert why_not_public(ip_address(address))

    def test_an_allowed_network_is_open_also_under_its_other_name(self) -> None:
        found: list[str] = []
        guard = AddressGuard([ip_network("127.0.0.0/8")], lambda *_: found)
        for address in ("127.0.0.1", "::ffff:127.0.0.1"):
            found[:] = [address]
            assert guard.addresses("x", 80, is_encrypted=False, timeout_seconds=1) == [address]
        found[:] = ["10.0.0.1"]
        with pytest.raises(AddressNotAllowedError, match=r"private.*SENTINEL_NOTIFY__ALLOWED_NETWORKS"):
            guard.addresses("x", 80, is_encrypted=True, timeout_seconds=1)

    def test_a_zone_is_cut_off_and_nothing_else_is_taken_for_an_address(self) -> None:
        with pytest.raises(AddressNotAllowedError, match="link-local"):
            AddressGuard((), lambda *_: ["fe80::1%lo"]).addresses("x", 1, is_encrypted=True, timeout_seconds=1)
        with pytest.raises(HostUnresolvedError):
            AddressGuard((), lambda *_: []).addresses("x", 1, is_encrypted=True, timeout_seconds=1)


class TestUrls:
    @pytest.mark.parametrize(
        ("text", "host", "port", "path"),
        [
            ("https://Example.com/a?b#c", "example.com", 443, "/a?b"),
            ("http://[::1]:8080", "::1", 8080, "/"),
            ("https://bücher.example/ü", "xn--bcher-kva.example", 443, "/%C3%BC"),
            ("https://x:65535/", "x", 65535, "/"),
        ],
    )
    def test_they_are_taken_apart(self, text: str, host: str, port: int, path: str) -> None:
        url = read_url(text)
        assert (url.host, url.port, url.path) == (host, port, path)
        assert "#" not in url.path

    def test_the_host_header_is_the_authority(self) -> None:
        texts = ("https://x:443/", "https://x:444/", "http://[::1]/", "http://[::1]:81/")
        assert [read_url(text).authority for text in texts] == ["x", "x:444", "[::1]", "[::1]:81"]

    @pytest.mark.parametrize(
        "text",
        ["", "example.com", "//example.com", "ftp://example.com", "https:///x", "https://a:0/", "https://a:70000/",
         "https://a:b@c/", "https://a@c/", "https://x\\@evil.example/", "https://a\n.b/", "https://a b/",
         "https://exa%6dple.com/", "https://[fe80::1%25eth0]/", "https://[::1/", "https://a:b/", "https://a,b/"],
    )  # fmt: skip
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidError):
            read_url(text)

    @given(st.text(max_size=60) | st.from_regex(r"https?://[^/]{1,40}/?.{0,20}"))
    def test_whatever_is_named_is_read_or_refused(self, text: str) -> None:
        try:
            url = read_url(text)
        except InvalidError:
            return
        assert 1 <= url.port <= 65535
        assert f"{url.host}{url.path}".isascii()
        assert not set(url.host) & set("/\\@#?%[] ")


class TestSetting:
    def test_networks_are_read_and_others_named(self) -> None:
        assert len(NotifySettings(allowed_networks=" 127.0.0.0/8, ::1/128 ,").networks) == 2
        with pytest.raises(ValueError, match="has host bits set"):
            NotifySettings(allowed_networks="127.0.0.1/8")
