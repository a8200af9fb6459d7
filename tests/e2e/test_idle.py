#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An idle TOE uses no CPU: neither toed, nor the firmware, nor an application that waits."""
import time

from lib import PORT, Testbed, alive, start_server, test_main
from testbed import thread_ns

SECONDS = 5


def cpu_ms(*pids):
    return sum(ns for p in pids for ns in thread_ns(p).values()) / 1e6


def idle(c):
    with Testbed("idle") as bed:
        bed.start_toed()
        p = start_server(bed)
        names = {"toed": bed.toed.pid, "toe-fw": bed.firmware_pid(), "application": p.pid}

        def measure(when):
            time.sleep(0.5)
            before = {n: cpu_ms(pid) for n, pid in names.items()}
            time.sleep(SECONDS)
            for n, pid in names.items():
                used = cpu_ms(pid) - before[n]
                # 0.2 % of a core: a wake-up now and then is allowed, a poll loop is not.
                c.check(used < 2 * SECONDS, f"{when}: {n} used {used:.2f} ms in {SECONDS} s")
        measure("a listener")
        socks = [bed.client.connect(PORT) for _ in range(100)]
        for s in socks:
            s.sendall(b"E\nx")
            s.recv(1)
        measure("100 open connections")
        c.check(alive(bed), "and it wakes up")
        for s in socks:
            s.close()


test_main("e2e idle", idle)
