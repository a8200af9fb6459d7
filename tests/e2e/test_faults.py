#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A bad wire, a link that goes away, and processes that are killed."""
import os
import signal
import subprocess
import time

from lib import (DEV, KIB, MIB, PORT, SERVER, SERVER_CPUS, Testbed, alive, build, client, flows, hold_result, start_server,
                 test_main, transfer, wait_for)
from testbed import children


def bad_wire(c):
    """1 % loss both ways, then duplicates and overtaking as well, in a forwarder with a fixed seed."""
    for name, dice in (("1% loss", ()), ("1% loss, 1% repeated, 2% overtaken", ("--dup", 1, "--reorder", 2, "--late", 500))):
        with Testbed("faults", middle=True) as bed:
            bed.start_wire("--seed", 20261, "--loss", 1, *dice)
            bed.start_toed()
            start_server(bed)
            for what, n in (("get", 1), ("put", 1), ("get", 10 * MIB), ("put", 10 * MIB), ("echo", 2 * MIB)):
                transfer(c, bed, what, n, timeout=100)
            ok, text = client(bed, "open", 200, timeout=100)
            c.check(ok, f"200 connections: {text}")
            harm = {k: v for way in bed.stop_wire().values() for k, v in way.items() if v and k in
                    ("lost", "repeated", "late", "oversized", "unsent", "ring_lost")}
            print(f"     {name}: {harm}")


def link_down(c):
    """The link is away for a second in the middle of a transfer: it goes on."""
    with Testbed("faults") as bed:
        bed.start_toed()
        start_server(bed)
        for side in (bed.client, bed.server):
            p = bed.client.popen(build("tests/apps/client_linux"), "get", "192.0.2.1", PORT, 2000 * MIB,
                                 stdout=subprocess.PIPE)
            time.sleep(0.2)
            side.run("ip", "link", "set", DEV, "down", check=True)
            time.sleep(1)
            side.run("ip", "link", "set", DEV, "up", check=True)
            try:
                text = p.communicate(timeout=60)[0].decode().strip()
            except subprocess.TimeoutExpired:
                p.kill()
                text = "stands still"
            c.check(text.startswith("ok"), f"link of the {side.name.rsplit('-', 1)[1]} side down and up: {text}")
        c.check(alive(bed), "new connections work afterwards")


def killed_application(c):
    """kill -9: its peers see a reset or an end at once, its flows and its port are free again."""
    with Testbed("faults") as bed:
        bed.start_toed()
        p = start_server(bed)
        socks = [bed.client.connect(PORT) for _ in range(50)]
        for s in socks:
            s.sendall(b"E\nx")
            s.recv(1)
        os.kill(p.pid, signal.SIGKILL)
        p.wait()
        ended = 0
        for s in socks:
            s.settimeout(3)
            try:
                ended += s.recv(1) == b""
            except ConnectionResetError:
                ended += 1
            except OSError:
                pass
            s.close()
        c.check(ended == 50, f"{ended} of 50 peers were told")
        wait_for("end of its flows", lambda: not flows(bed), 5)
        c.check(True, "no flow is left")
        start_server(bed)
        c.check(alive(bed), "its port serves again")
        transfer(c, bed, "get", 64 * KIB)


def killed_client(c):
    """A program that connected by the TOE is killed: the Linux server sees its connections end."""
    with Testbed("faults") as bed:
        bed.start_toed()
        start_server(bed, stack="linux", side=bed.client)
        p = bed.server.popen(build("tests/apps/client_toe"), "hold", "192.0.2.2", PORT, 20, 30, log="hold.log")
        wait_for("20 connections", lambda: "connected" in bed.log("hold.log"))
        os.kill(p.pid, signal.SIGKILL)
        p.wait()
        established = wait_for("end of them", lambda: not bed.client.run(
            "sh", "-c", f"grep -c ' 01 ' /proc/net/tcp | grep -vx 0 > /dev/null && grep ':{PORT:04X} .* 01 ' /proc/net/tcp"
        ).stdout.strip(), 10)
        c.check(established, "the Linux server's connections ended")


def killed_worker(c):
    """Workers share a listener; one is killed: its connections end, the others and new ones go on."""
    with Testbed("faults") as bed:
        bed.start_toed()
        p = start_server(bed, workers=2)
        by_pid = {}
        socks = []
        for _ in range(40):
            s = bed.client.connect(PORT)
            s.sendall(b"W\n")
            pid = s.recv(100).strip().decode()
            by_pid[pid] = by_pid.get(pid, 0) + 1
            s.close()
        for _ in range(64):
            s = bed.client.connect(PORT)
            s.sendall(b"E\nx")
            s.recv(1)
            socks.append(s)
        workers = children(p.pid)
        c.check(len(workers) == 2 and len(by_pid) == 2 and min(by_pid.values()) >= 10,
                f"{len(workers)} workers; who answered: {by_pid}")
        os.kill(workers[0], signal.SIGKILL)
        time.sleep(0.5)
        ended = lived = 0
        for s in socks:
            s.settimeout(2)
            try:
                s.sendall(b"y")
                if s.recv(1) == b"y":
                    lived += 1
                else:
                    ended += 1
            except ConnectionError:
                ended += 1
        c.check(ended + lived == 64 and 16 <= lived <= 48, f"{ended} of 64 connections ended with it, {lived} live on")
        time.sleep(1)  # toed gives the dead one's commands so long
        good, took = 0, []
        for _ in range(100):
            began = time.monotonic()
            good += alive(bed)
            took.append(time.monotonic() - began)
        c.check(good == 100, f"{good} of 100 new connections served by the other")
        ms = sorted(took)[75] * 1000  # what is kept for the dead one is anybody's after 10
        c.check(ms < 8, f"without waiting for the dead one's turn: three in four within {ms:.1f} ms")
        for s in socks:
            s.close()


def two_fpcs(c):
    """Two queues, two FPCs: every byte, both FPCs at work, and connections outlive kills of the firmware."""
    with Testbed("faults") as bed:
        bed.start_toed("--fpcs", "2", "--cpus", ",".join(map(str, (SERVER_CPUS * 2)[:2])))
        start_server(bed)
        for what in ("get", "put", "echo"):
            transfer(c, bed, what, 20 * MIB)
        load = bed.client.popen(build("tests/apps/client_linux"), "hold", SERVER, PORT, 200, 6, stdout=subprocess.PIPE)
        wait_for("200 connections", lambda: len(flows(bed)) == 200)
        share = sum(f["fpc"] for f in flows(bed))
        c.check(60 <= share <= 140, f"{share} of 200 connections at the second FPC")
        for _ in range(20):
            pid = wait_for("toe-fw", bed.firmware_pid, 5, 0.002)
            time.sleep(0.1)
            os.kill(pid, signal.SIGKILL)
            wait_for("another toe-fw", lambda: bed.firmware_pid() not in (None, pid), 5, 0.002)  # noqa: B023
        lived, count = hold_result(load.communicate(timeout=60)[0].decode())
        c.check(lived == count == 200, f"{lived} of {count} live on after 20 kills of toe-fw")


test_main("e2e faults", bad_wire, link_down, killed_application, killed_client, killed_worker, two_fpcs)
