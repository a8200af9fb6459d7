#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""VLAN interfaces over the served device: 802.1Q and 802.1ad, both kinds of open, both IP versions; coming and going."""
from lib import (DEV, MIB, PORT, SERVER, Testbed, ask, client, counter, flows, start_server, test_main, transfer,
                 wait_for)

# (name, id, protocol, network: the server has .1 and ::1, the client .2 and ::2)
CTAG = (DEV + ".100", 100, "802.1Q", "198.51.100", "2001:db8:100")
STAG = (DEV + ".200", 200, "802.1ad", "203.0.113", "2001:db8:200")


def add(side, vlan, host):
    name, number, proto, v4, v6 = vlan
    side.run("ip", "link", "add", "link", DEV, "name", name, "type", "vlan", "proto", proto, "id", number, check=True)
    side.run("ip", "addr", "add", f"{v4}.{host}/24", "dev", name, check=True)
    side.run("ip", "addr", "add", f"{v6}::{host}/64", "dev", name, "nodad", check=True)
    side.run("ip", "link", "set", name, "up", check=True)


def visible(bed):
    """Tags in the frames, not beside them."""
    bed.client.run("ethtool", "-K", DEV, "txvlan", "off", "tx-vlan-stag-hw-insert", "off", check=True)


def both_ways(c):
    """A wildcard listener on an untagged interface, a C-tag and an S-tag; connections from each."""
    with Testbed("vlan") as bed:
        visible(bed)
        add(bed.server, CTAG, 1)
        bed.start_toed()
        start_server(bed, addr="::")
        start_server(bed, stack="linux", side=bed.client, addr="::", port=PORT + 1)
        add(bed.server, STAG, 1)  # while a listener is there
        n = 0
        for vlan in (CTAG, STAG):
            add(bed.client, vlan, 2)
            for net, sep in ((vlan[3], "."), (vlan[4], "::")):
                for what in ("get", "put"):
                    transfer(c, bed, what, 5 * MIB, addr=f"{net}{sep}1")
                    transfer(c, bed, what, 5 * MIB, addr=f"{net}{sep}2", stack="toe", port=PORT + 1)
                    n += 2
        transfer(c, bed, "get", MIB, addr=SERVER)
        done = counter(bed, "passive_opens"), counter(bed, "active_opens")
        c.check(done == (n // 2 + 1, n // 2), f"all by the TOE: {done}")
        vlans = bed.status()["devices"][0]["vlans"]
        c.check([(v["id"], v["protocol"]) for v in vlans] == [(100, "802.1Q"), (200, "802.1ad")], f"status: {vlans}")


def comes_and_goes(c):
    """Deleted and made again; an MTU of its own; the same address on two VLANs is two endpoints."""
    with Testbed("vlan") as bed:
        visible(bed)
        bed.start_toed()
        start_server(bed, addr="::")
        for side, host in ((bed.server, 1), (bed.client, 2)):
            add(side, CTAG, host)
        bed.server.run("ip", "link", "set", CTAG[0], "mtu", 1300, check=True)
        s = bed.client.connect(PORT, CTAG[4] + "::1")
        s.sendall(b"E\nabc")
        c.check(s.recv(3) == b"abc", "a connection")
        wait_for("smaller MTU", lambda: bed.status()["devices"][0]["vlans"][0]["mtu"] == 1300, 3)
        transfer(c, bed, "get", MIB, addr=CTAG[3] + ".1")
        bed.server.run("ip", "link", "del", CTAG[0], check=True)
        try:
            s.settimeout(5)
            told = s.recv(1) == b""
        except ConnectionResetError:
            told = True
        c.check(told and not bed.status()["devices"][0]["vlans"], "its end resets its connections")
        wait_for("end of flows", lambda: not flows(bed), 3)
        add(bed.server, CTAG, 1)
        transfer(c, bed, "put", MIB, addr=CTAG[4] + "::1")
        c.check(ask(bed, "W").strip().isdigit(), "the untagged interface is as before")
        s.close()


def hidden(c):
    """Tags beside the frame are not seen in XDP: the kernel serves such connections, by the same descriptor."""
    with Testbed("vlan") as bed:
        bed.start_toed()
        start_server(bed)
        for side, host in ((bed.server, 1), (bed.client, 2)):
            add(side, CTAG, host)
        ok, text = client(bed, "get", MIB, addr=CTAG[3] + ".1")
        c.check(ok and counter(bed, "passive_opens") == 0, f"by the kernel: {text}")
        c.check("txvlan off" in bed.log("toed.log"), "toed says what is needed")


def skipped(c):
    """Kernels may lack VLAN interfaces (tests/unit/test_toed_links.c and the simulator still know of tags)."""
    c.check(True, "no VLAN interfaces in this kernel (CONFIG_VLAN_8021Q): skipped")


def have_vlans():
    """Does `ip link add ... type vlan` know the kind?"""
    with Testbed("vlan") as bed:
        r = bed.client.run("ip", "link", "add", "link", DEV, "name", CTAG[0], "type", "vlan", "id", CTAG[1])
        return "Unknown device type" not in r.stdout


def vlans(c):
    """All of them, on kernels that can."""
    for t in (both_ways, comes_and_goes, hidden) if have_vlans() else (skipped,):
        t(c)


test_main("e2e vlan", vlans)
