#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""MTUs from 1280 to 9000: jumbo packets span several frames, both ways, both IP versions; kills and two FPCs as well."""
import os
import signal

from lib import (DEV, KIB, MIB, PORT, SERVER, SERVER6, Testbed, client, counter, flows, start_server, test_main, transfer,
                 wait_for)
from testbed import SERVER_CPUS


def mtu(bed, n):
    for side in (bed.server, bed.client):
        side.run("ip", "link", "set", DEV, "mtu", n, check=True)


def jumbo(c):
    """MTU 9000 from the start; sizes around what a segment and a frame hold."""
    with Testbed("jumbo") as bed:
        mtu(bed, 9000)
        bed.start_toed()
        start_server(bed, addr="::")
        start_server(bed, stack="linux", side=bed.client, port=PORT + 1)
        for addr in (SERVER, SERVER6):
            for n in (3774, 3775, 8928, 8948, 8949, 64 * KIB + 1):
                transfer(c, bed, "get", n, addr=addr)
                transfer(c, bed, "put", n, addr=addr)
            before = counter(bed, "tx_frames"), counter(bed, "rx_segments")
            transfer(c, bed, "get", 20 * MIB, addr=addr)
            transfer(c, bed, "put", 20 * MIB, addr=addr)
            sent, got = counter(bed, "tx_frames") - before[0], counter(bed, "rx_segments") - before[1]
            c.check(sent < 8000 and got < 8000, f"{sent} packets sent, {got} received for 20 MiB each")
            transfer(c, bed, "echo", 10 * MIB, addr=addr)
        transfer(c, bed, "put", 10 * MIB, stack="toe", port=PORT + 1)
        transfer(c, bed, "get", 10 * MIB, stack="toe", port=PORT + 1)
        ok, text = client(bed, "open", 500)
        c.check(ok, f"500 connections: {text}")
        wait_for("end of flows", lambda: not flows(bed), 5)
        mtu(bed, 1500)
        wait_for("smaller MTU", lambda: bed.status()["devices"][0]["mtu"] == 1500, 3)
        transfer(c, bed, "get", 5 * MIB)
        transfer(c, bed, "put", 5 * MIB)


def killed(c):
    """toe-fw killed under load: no frame is lost, no byte wrong."""
    with Testbed("jumbo") as bed:
        mtu(bed, 9000)
        bed.start_toed()
        start_server(bed)
        for what in ("get", "put"):
            p = bed.client.popen(*_client(what, 400 * MIB), log="load.log")
            for _ in range(4):
                old = wait_for("firmware", bed.firmware_pid)
                os.kill(old, signal.SIGKILL)
                wait_for("another firmware", lambda o=old: bed.firmware_pid() not in (None, o))
                wait_for("running", lambda: bed.status()["firmware"]["running"])
            c.check(p.wait(60) == 0, f"{what} over four kills: {bed.log('load.log').strip()[-80:]}")
        transfer(c, bed, "echo", 20 * MIB)


def _client(what, n):
    from lib import build
    return build("tests/apps/client_linux"), what, SERVER, PORT, n


def two_cores(c):
    """Two FPCs: packets of several frames go from one to the other as well."""
    with Testbed("jumbo") as bed:
        mtu(bed, 9000)
        bed.start_toed("--fpcs", "2", "--cpus", f"{SERVER_CPUS[0]},{SERVER_CPUS[-1]}")
        start_server(bed)
        for _ in range(4):
            transfer(c, bed, "put", 5 * MIB)
            transfer(c, bed, "get", 5 * MIB)


def small(c):
    """MTU 1280, the least that IPv6 allows."""
    with Testbed("jumbo") as bed:
        mtu(bed, 1280)
        bed.start_toed()
        start_server(bed, addr="::")
        for addr in (SERVER, SERVER6):
            transfer(c, bed, "get", 5 * MIB, addr=addr)
            transfer(c, bed, "put", 5 * MIB, addr=addr)


def refused(c):
    """More than 9000 is refused, in words; a program for single buffers is, too."""
    with Testbed("jumbo") as bed:
        mtu(bed, 9001)
        bed.start_toed(wait=False)
        c.check(bed.toed.wait(10) == 1 and "lower it to 9000" in bed.log("toed.log"), "MTU 9001 is refused")
        bed.procs.remove(bed.toed)
        bed.toed = None


test_main("e2e jumbo", jumbo, killed, two_cores, small, refused)
