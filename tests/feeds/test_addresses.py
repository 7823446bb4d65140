from __future__ import annotations

import ipaddress
import socket

import pytest

from depict_reco.exceptions import AddressNotAllowedError, FeedError
from depict_reco.feeds.addresses import is_public, resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
    ],
)
def test_addresses_that_are_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_that_are_public(address):
    assert is_public(ipaddress.ip_address(address))


def answer(monkeypatch, *addresses: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)


def test_every_address_of_a_host_must_be_public(monkeypatch):
    answer(monkeypatch, "8.8.8.8", "1.1.1.1", "8.8.8.8")
    assert resolve("shop.example", 80) == ["8.8.8.8", "1.1.1.1"]
    answer(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(AddressNotAllowedError, match=r"'shop.example' is at 10\.0\.0\.1"):
        resolve("shop.example", 80)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost", "0"])
def test_other_ways_to_write_this_machine(host):
    with pytest.raises(FeedError):
        resolve(host, 80)


def test_the_setting_allows_private_addresses(monkeypatch, settings):
    settings.DEPICT_RECO = {"FEED_ALLOW_PRIVATE_ADDRESSES": True}
    answer(monkeypatch, "10.0.0.1")
    assert resolve("shop.example", 80) == ["10.0.0.1"]


def test_a_host_that_nobody_knows(monkeypatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(8, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(FeedError, match=r"The host 'shop\.example' is not known"):
        resolve("shop.example", 80)
