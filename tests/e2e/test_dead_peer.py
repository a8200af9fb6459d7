#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Keepalive and TCP_USER_TIMEOUT against a kernel peer: the wire is cut, and nobody says so; or it is not."""
import re
import subprocess

from lib import CLIENT, PORT, Testbed, build, client, counter, start_server, test_main

IDLE = 1 + 2 * 1  # s: client.c's keepalive


def start(bed, *args):
    """client.c on the TOE, once it is connected."""
    p = bed.server.popen(build("tests/apps/client_toe"), args[0], CLIENT, PORT, *args[1:], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    return p, p.stdout.readline().decode().strip()


def end(p):
    """Its last line, and the seconds that this names."""
    text = p.communicate(timeout=60)[0].decode().strip()
    m = re.search(r"after ([0-9.]+) s", text)
    return text, float(m[1]) if m else 0


def cut_wire(c):
    """Both end with ETIMEDOUT, in the time that was set."""
    with Testbed("dead", middle=True) as bed:
        bed.start_wire()
        bed.start_toed()
        start_server(bed, stack="linux", side=bed.client)
        idle, stall = start(bed, "idle", 30), start(bed, "stall", 2000)
        c.check(idle[1] == stall[1] == "connected", f"{idle[1]}, {stall[1]}")
        c.check(counter(bed, "active_opens") == 2, "connections of the TOE")
        bed.stop_wire()
        text, s = end(stall[0])
        c.check("timed out" in text and 1.9 <= s < 5, f"TCP_USER_TIMEOUT of 2 s: {text}")
        text, s = end(idle[0])
        c.check("timed out" in text and IDLE - 0.1 <= s < IDLE + 3, f"keepalive of {IDLE} s: {text}")


def live_peer(c):
    """A peer that answers keeps an idle connection for longer than keepalive would wait for it."""
    with Testbed("dead", middle=True) as bed:
        bed.start_wire()
        bed.start_toed()
        start_server(bed, stack="linux", side=bed.client)
        ok, text = client(bed, "idle", 2 * IDLE, stack="toe")
        c.check(ok, f"idle for {2 * IDLE} s: {text}")
        c.check(counter(bed, "active_opens") == 1, "a connection of the TOE")


test_main("e2e dead peer", cut_wire, live_peer)
