#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Behind a router whose next link is narrower than ours: Linux makes the ICMP errors, the TOE heeds them.

    client 198.51.100.2, 2001:db8:1::2 -- (MTU 1300) router -- server 192.0.2.1, 2001:db8::1
"""
from lib import DEV, MIB, SERVER6, Testbed, client, counter, start_server, test_main, transfer

MTU = 1300


def route(bed):
    """The middle becomes a router between two networks."""
    mid, srv, cli = bed.middle, bed.server, bed.client
    bed.set(mid, "net.ipv6.conf.all.disable_ipv6", "0")
    for dev, four, six in (("srv0", "192.0.2.254/24", "2001:db8::fe/64"), ("cli0", "198.51.100.1/24", "2001:db8:1::1/64")):
        mid.run("ip", "addr", "add", four, "dev", dev, check=True)
        mid.run("ip", "addr", "add", six, "dev", dev, "nodad", check=True)
    bed.set(mid, "net.ipv4.ip_forward", "1")
    bed.set(mid, "net.ipv6.conf.all.forwarding", "1")
    mid.run("ip", "link", "set", "cli0", "mtu", MTU, check=True)
    cli.run("ip", "addr", "flush", "dev", DEV, "scope", "global", check=True)
    for side, addrs, via in ((cli, ("198.51.100.2/24", "2001:db8:1::2/64"), ("198.51.100.1", "2001:db8:1::1")),
                             (srv, (), ("192.0.2.254", "2001:db8::fe"))):
        for a in addrs:
            side.run("ip", "addr", "add", a, "dev", DEV, *(["nodad"] if ":" in a else []), check=True)
        for v in via:
            side.run("ip", *(["-6"] if ":" in v else []), "route", "add", "default", "via", v, check=True)
    # Frames as a wire has them: the router must see segments, not super-packets.
    for side, dev in ((srv, DEV), (cli, DEV), (mid, "srv0"), (mid, "cli0")):
        side.run("ethtool", "-K", dev, "tx", "off", "tso", "off", "gro", "off", "gso", "off")


def too_big(c):
    with Testbed("pmtu", middle=True) as bed:
        route(bed)
        bed.start_toed()
        start_server(bed, addr="::")
        for addr, what in ((None, "IPv4"), (SERVER6, "IPv6")):
            before = counter(bed, "icmp_too_big")
            for n in (1449, MIB + 7, 20 * MIB):
                transfer(c, bed, "get", n, addr=addr)
            c.check(counter(bed, "icmp_too_big") > before, f"{what}: the router's errors were used")


def unreachable(c):
    """A connect to where the router knows no way fails at once."""
    with Testbed("pmtu", middle=True) as bed:
        route(bed)
        bed.start_toed()
        ok, text = client(bed, "get", 1, stack="toe", addr="203.0.113.9", timeout=20)
        c.check(not ok and "unreachable" in text, f"connect without a way: {text}")
        c.check(counter(bed, "icmp_unreachable") == 1, "by the router's error")


test_main("e2e pmtu", too_big, unreachable)
