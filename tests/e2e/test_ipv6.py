#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""IPv6 against Linux: transfers, names of both ends, dual-stack listeners, link-local, addresses that come and go."""
import socket

from lib import (CLIENT, CLIENT6, DEV, KIB, MIB, PORT, SERVER, SERVER6, Testbed, build, client, counter, flows,
                 link_local, names, start_server, test_main, transfer, wait_for)


def ip(side, *args):
    side.run("ip", *args, check=True)


def ifindex(side):
    return side.run("cat", f"/sys/class/net/{DEV}/ifindex").stdout.strip()


def on_toe(bed, n):
    """Connections that the TOE opened or accepted since it was started are n."""
    return counter(bed, "passive_opens") + counter(bed, "active_opens") == n


def passive(c):
    """A dual-stack listener: IPv6 and IPv4 by one socket."""
    with Testbed("ipv6") as bed:
        bed.start_toed()
        start_server(bed, addr="::")
        for addr in (SERVER6, SERVER):
            for n in (1, 1428, 1429, 64 * KIB + 1):
                transfer(c, bed, "get", n, addr=addr)
            transfer(c, bed, "put", 10 * MIB, addr=addr)
            transfer(c, bed, "echo", 5 * MIB, addr=addr)
        c.check(on_toe(bed, 12), "all by the TOE")
        n = names(bed, SERVER6)
        c.check(n[0] == n[6] == CLIENT6 and n[2] == n[4] == SERVER6 and n[1] == n[7], f"names: {n[:8]}")
        n = names(bed, SERVER)
        c.check(n[6] == "::ffff:" + CLIENT and n[4] == "::ffff:" + SERVER, f"names of mapped addresses: {n[4:8]}")
        s = bed.client.connect(PORT, SERVER6)
        s.sendall(b"E\n")
        wait_for("flow", lambda: any(f["local"] == f"[{SERVER6}]:{PORT}" for f in flows(bed)), 3)
        c.check(True, "toectl shows it")
        s.close()


def v6only(c):
    """IPV6_V6ONLY leaves IPv4 to whoever else listens there."""
    with Testbed("ipv6") as bed:
        bed.start_toed()
        start_server(bed, addr="::only")
        ok, text = client(bed, "get", MIB, addr=SERVER6)
        c.check(ok and on_toe(bed, 1), f"IPv6: {text}")
        ok, text = client(bed, "get", 1, addr=SERVER)
        c.check(not ok and "refused" in text, f"IPv4: {text}")
        start_server(bed, addr="0.0.0.0")
        ok, text = client(bed, "get", MIB, addr=SERVER)
        c.check(ok and on_toe(bed, 2), f"IPv4 of a second listener: {text}")


def active(c):
    """The TOE connects: global, mapped and link-local destinations, and what the kernel refuses."""
    with Testbed("ipv6") as bed:
        bed.start_toed()
        start_server(bed, stack="linux", side=bed.client, addr="::")
        theirs, mine = link_local(bed.client), link_local(bed.server)
        for addr in (CLIENT6, "::ffff:" + CLIENT, f"{theirs}%{DEV}"):
            transfer(c, bed, "get", 5 * MIB, stack="toe", addr=addr)
            transfer(c, bed, "put", 5 * MIB, stack="toe", addr=addr)
        c.check(on_toe(bed, 6), "all by the TOE")
        n = names(bed, f"{theirs}%{DEV}", stack="toe")
        c.check(n[:3:2] == [f"{mine}%{DEV}", f"{theirs}%{DEV}"], f"scopes of both names: {n[:4]}")
        n = names(bed, "::ffff:" + CLIENT, stack="toe")
        c.check(n[:3:2] == ["::ffff:" + SERVER, "::ffff:" + CLIENT], f"mapped names: {n[:4]}")
        for addr in ("2001:db8:ffff::1", theirs, "ff02::1%" + DEV):
            toe, linux = (bed.server.run(build(f"tests/apps/client_{s}"), "get", addr, PORT, 1).stdout.strip()
                          for s in ("toe", "linux"))
            c.check(toe == linux and "connect:" in toe, f"{addr}: {toe}; the kernel: {linux}")
        ok, text = client(bed, "get", 1, stack="toe", addr="2001:db8::99")
        c.check(not ok and "route to host" in text.lower(), f"a neighbour that does not answer: {text}")


def local_link(c):
    """A listener at a link-local address, and a wildcard one reached at it."""
    with Testbed("ipv6") as bed:
        bed.start_toed()
        mine = f"{link_local(bed.server)}%{DEV}"
        start_server(bed, addr=mine)
        start_server(bed, port=PORT + 1, addr="::")
        transfer(c, bed, "put", 5 * MIB, addr=mine)
        n = names(bed, mine, port=PORT + 1)
        c.check(n[4] == mine and n[6] == f"{link_local(bed.client)}%{DEV}", f"names: {n[4:8]}")
        c.check(on_toe(bed, 2), "all by the TOE")
        ok, text = client(bed, "get", 1, addr=SERVER6)
        c.check(not ok and "refused" in text, f"not at the global address: {text}")


def addresses(c):
    """Addresses come and go under a listener; duplicates do not count, deprecated ones do."""
    with Testbed("ipv6") as bed:
        bed.start_toed()
        start_server(bed, addr="::")
        s = bed.client.connect(PORT, SERVER6)
        s.sendall(b"E\nabc")
        s.recv(3)
        ip(bed.server, "addr", "add", "2001:db8::11/64", "dev", DEV, "nodad")
        ok, text = client(bed, "get", MIB, addr="2001:db8::11")
        c.check(ok and on_toe(bed, 2), f"at an address that came later: {text}")
        ip(bed.server, "addr", "add", "2001:db8::12/64", "dev", DEV, "nodad", "preferred_lft", "0")
        ok, text = client(bed, "get", MIB, addr="2001:db8::12")
        c.check(ok and on_toe(bed, 3), f"at a deprecated address: {text}")
        ip(bed.server, "addr", "del", f"{SERVER6}/64", "dev", DEV)

        def refused():
            with bed.client.socket(socket.AF_INET6) as k:
                k.settimeout(1)
                return k.connect_ex((SERVER6, PORT))
        wait_for("the end of an address that has gone", refused, 5)  # toed hears of it from netlink
        ip(bed.server, "addr", "add", f"{SERVER6}/64", "dev", DEV, "nodad")
        s.sendall(b"def")
        c.check(s.recv(3) == b"def", "the connection of before goes on when it is back")
        ok, text = client(bed, "get", MIB, addr=SERVER6)
        c.check(ok, f"a new one: {text}")
        # The client has the address: ours fails duplicate address detection, and stays out.
        bed.set(bed.server, f"net.ipv6.conf.{DEV}.accept_dad", "1")
        ip(bed.client, "addr", "add", "2001:db8::13/64", "dev", DEV, "nodad")
        before = bed.status()["devices"][0]["addresses"]
        ip(bed.server, "addr", "add", "2001:db8::13/64", "dev", DEV)
        wait_for("failed detection", lambda: "dadfailed" in bed.server.run("ip", "-6", "addr").stdout, 5)
        c.check(bed.status()["devices"][0]["addresses"] == before, "a duplicate address is not served")
        s.close()


test_main("e2e ipv6", passive, v6only, active, local_link, addresses)
