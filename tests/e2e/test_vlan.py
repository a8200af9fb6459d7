#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""VLAN interfaces over the served device: 802.1Q and 802.1ad, both kinds of open, both IP versions; coming and going."""
import functools
import json
import socket
from concurrent.futures import ThreadPoolExecutor

from lib import (DEV, GIB, MIB, PORT, SERVER, Testbed, ask, client, counter, flows, link_local, names, start_server,
                 test_main, transfer, wait_for)

# (name, id, protocol, network: the server has .1 and ::1, the client .2 and ::2)
CTAG = (DEV + ".100", 100, "802.1Q", "198.51.100", "2001:db8:100")
STAG = (DEV + ".200", 200, "802.1ad", "203.0.113", "2001:db8:200")
# The same network again: in another C-tag, and in an S-tag of the same number
CTAG2 = (DEV + ".300", 300, *CTAG[2:])
STAG2 = (DEV + ".s100", 100, STAG[2], *CTAG[3:])
PRIORITY = ("egress-qos-map", "0:5")  # bits beside the number


def add(side, vlan, host, *more):
    name, number, proto, v4, v6 = vlan
    side.run("ip", "link", "add", "link", DEV, "name", name, "type", "vlan", "proto", proto, "id", number, *more,
             check=True)
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
            add(bed.client, vlan, 2, *PRIORITY)
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


def at_once(c):
    """Much data both ways by an untagged and two tagged interfaces at the same time."""
    with Testbed("vlan") as bed:
        visible(bed)
        bed.start_toed()
        start_server(bed, addr="::")
        for side, host in ((bed.server, 1), (bed.client, 2)):
            add(side, CTAG, host)
            add(side, STAG, host)

        def one(job):
            what, addr = job
            transfer(c, bed, what, 64 * MIB, addr=addr)
        jobs = [(what, addr) for addr in (SERVER, CTAG[3] + ".1", STAG[4] + "::1") for what in ("get", "put")]
        with ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(one, jobs))
        c.check(counter(bed, "passive_opens") == len(jobs), "all by the TOE")


def priority(c):
    """A tag that carries a priority and number 0 is no VLAN (802.1Q 6.9): its frames are the untagged interface's."""
    with Testbed("vlan") as bed:
        visible(bed)
        bed.start_toed()
        start_server(bed)
        bed.client.run("ip", "link", "add", "link", DEV, "name", "prio", "type", "vlan", "id", 0, *PRIORITY, check=True)
        bed.client.run("ip", "link", "set", "prio", "up", check=True)
        bed.client.run("ip", "route", "add", SERVER + "/32", "dev", "prio", check=True)
        # Answers come without a tag, also those of ARP: nobody would hear them at that interface.
        mac = json.loads(bed.server.run("ip", "-j", "link", "show", DEV).stdout)[0]["address"]
        bed.client.run("ip", "neigh", "add", SERVER, "lladdr", mac, "dev", "prio", check=True)
        for what in ("get", "put"):
            transfer(c, bed, what, 5 * MIB)
        sent = json.loads(bed.client.run("ip", "-j", "-s", "link", "show", "prio").stdout)[0]["stats64"]["tx"]["packets"]
        c.check(counter(bed, "passive_opens") == 2 and sent > 100, f"by the TOE, {sent} tagged frames")


def bound(bed, vlan, port=40000):
    """A connection from that interface of the client, always from the same address and port."""
    s = bed.client.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, vlan[0].encode())
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((vlan[3] + ".2", port))
    s.connect((vlan[3] + ".1", PORT))
    return s


def said(s, text):
    """Is it echoed?"""
    s.sendall(text)
    return s.recv(64) == text


def same_address(c):
    """The same four addresses and ports in three VLANs: three connections. One VLAN goes, and only its own."""
    with Testbed("vlan") as bed:
        visible(bed)
        bed.start_toed()
        start_server(bed)
        vlans = (CTAG, CTAG2, STAG2)
        for side, host in ((bed.server, 1), (bed.client, 2)):
            for v in vlans:
                add(side, v, host)
        socks = [bound(bed, v) for v in vlans]
        for s in socks:
            s.sendall(b"E\n")
        c.check(all(said(s, v[0].encode()) for s, v in zip(socks, vlans)), "each hears its own")
        c.check(counter(bed, "passive_opens") == 3, "all by the TOE")
        bed.server.run("ip", "link", "del", CTAG2[0], check=True)
        c.check(ended(socks[1]), "the one whose VLAN has gone is told")
        c.check(said(socks[0], b"still") and said(socks[2], b"here"), "the others live")
        for s in socks:
            s.close()


def scopes(c):
    """One link-local address on all interfaces: its scope says which."""
    with Testbed("vlan") as bed:
        visible(bed)
        for side, host in ((bed.server, 1), (bed.client, 2)):
            add(side, CTAG, host)
            add(side, CTAG2, host)
        bed.start_toed()
        start_server(bed, addr="::")
        start_server(bed, stack="linux", side=bed.client, addr="::", port=PORT + 1)
        for dev in (DEV, CTAG[0], CTAG2[0]):
            mine, theirs = (f"{link_local(side, dev)}%{dev}" for side in (bed.server, bed.client))
            n = names(bed, mine)
            c.check([n[4], n[6]] == [mine, theirs], f"{dev}, passive: {n[4:8]}")
            n = names(bed, theirs, port=PORT + 1, stack="toe")
            c.check([n[0], n[2]] == [mine, theirs], f"{dev}, active: {n[:4]}")
        done = counter(bed, "passive_opens"), counter(bed, "active_opens")
        c.check(done == (3, 3), f"all by the TOE: {done}")


def ended(s):
    """Has the peer closed or reset the connection, or does it within five seconds?"""
    s.settimeout(5)
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def comes_and_goes(c):
    """Deleted and made again; an MTU of its own."""
    with Testbed("vlan") as bed:
        visible(bed)
        bed.start_toed()
        start_server(bed, addr="::")
        start_server(bed, stack="linux", side=bed.client, addr="::", port=PORT + 1)
        for side, host in ((bed.server, 1), (bed.client, 2)):
            add(side, CTAG, host)
        bed.server.run("ip", "link", "set", CTAG[0], "mtu", 1300, check=True)
        wait_for("smaller MTU", lambda: bed.status()["devices"][0]["vlans"][0]["mtu"] == 1300, 3)
        s = bed.client.connect(PORT, CTAG[4] + "::1")
        s.sendall(b"E\n")
        c.check(said(s, b"abc"), "a connection")
        mss = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        c.check(mss == 1300 - 60 - 12, f"MSS of the VLAN's MTU: {mss}")
        for what in ("get", "put"):
            transfer(c, bed, what, MIB, addr=CTAG[3] + ".1")
            transfer(c, bed, what, MIB, addr=CTAG[4] + "::2", stack="toe", port=PORT + 1)
        with ThreadPoolExecutor(2) as pool:
            busy = [pool.submit(client, bed, "get", 8 * GIB, addr=CTAG[3] + ".1"),
                    pool.submit(client, bed, "put", 8 * GIB, addr=CTAG[3] + ".2", stack="toe", port=PORT + 1)]
            wait_for("connections", lambda: len(flows(bed)) == 3, 5)
            bed.server.run("ip", "link", "del", CTAG[0], check=True)
            c.check(ended(s) and not bed.status()["devices"][0]["vlans"], "its end resets its connections")
            for b in busy:
                ok, text = b.result(60)
                c.check(not ok and "reset" in text, f"and those that are busy: {text}")
        wait_for("end of flows", lambda: not flows(bed), 3)
        add(bed.server, CTAG, 1)
        transfer(c, bed, "put", MIB, addr=CTAG[4] + "::1")
        c.check(ask(bed, "W").strip().isdigit(), "the untagged interface is as before")
        s.close()


def down_and_up(c):
    """Set down, an interface is silent as in Linux; when it is up again its connections go on."""
    with Testbed("vlan") as bed:
        visible(bed)
        bed.start_toed()
        start_server(bed)
        for side, host in ((bed.server, 1), (bed.client, 2)):
            add(side, CTAG, host)
        s = bed.client.connect(PORT, CTAG[3] + ".1")
        s.sendall(b"E\n")
        c.check(said(s, b"abc"), "a connection")
        bed.server.run("ip", "link", "set", CTAG[0], "down", check=True)
        wait_for("down", lambda: not bed.status()["devices"][0]["vlans"][0]["up"], 3)
        s.sendall(b"def")
        s.settimeout(1)
        try:
            c.check(False, f"heard {s.recv(3)}")
        except TimeoutError:
            c.check(counter(bed, "drop_link_down") > 0, "silence")
        bed.server.run("ip", "link", "set", CTAG[0], "up", check=True)
        s.settimeout(10)
        c.check(s.recv(3) == b"def", "it goes on")
        transfer(c, bed, "get", MIB, addr=CTAG[3] + ".1")
        c.check(counter(bed, "passive_opens") == 2, "by the TOE")
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


@functools.cache
def have_vlans():
    """Does `ip link add ... type vlan` know the kind?"""
    with Testbed("vlan") as bed:
        r = bed.client.run("ip", "link", "add", "link", DEV, "name", CTAG[0], "type", "vlan", "id", CTAG[1])
        return "Unknown device type" not in r.stdout


def on_vlans(test):
    """Kernels may lack VLAN interfaces (tests/unit/test_toed_links.c and the simulator still know of tags)."""
    @functools.wraps(test)
    def run(c):
        if have_vlans():
            test(c)
        else:
            c.check(True, f"{test.__name__}: no VLAN interfaces in this kernel (CONFIG_VLAN_8021Q): skipped")
    return run


test_main("e2e vlan", *map(on_vlans, (both_ways, at_once, priority, same_address, scopes, comes_and_goes, down_and_up,
                                      hidden)))
