#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An idle TOE uses no CPU: neither toed, nor the firmware, nor an application that waits."""
import contextlib
import os
import re
import time

from lib import PORT, Testbed, alive, start_server, test_main
from testbed import thread_ns

SECONDS = 5
SETTLE = 3  # within a second toed puts what has happened into toe_flows, and once more a second later


def cpu_ms(*pids):
    return sum(ns for p in pids for ns in thread_ns(p).values()) / 1e6


def wakeups(pid):
    """How often threads of a process went to sleep: what they cost may be others' doing, this is theirs."""
    n = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{pid}/task/{tid}/status") as f:
                n += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), re.M)[1])
    return n


def idle(c):
    with Testbed("idle") as bed:
        bed.start_toed()
        p = start_server(bed)
        names = {"toed": bed.toed.pid, "toe-fw": bed.firmware_pid(), "application": p.pid}

        def measure(when):
            time.sleep(SETTLE)
            before = {n: (cpu_ms(pid), wakeups(pid)) for n, pid in names.items()}
            time.sleep(SECONDS)
            for n, pid in names.items():
                used, woke = cpu_ms(pid) - before[n][0], wakeups(pid) - before[n][1]
                # 0.2 % of a core: a wake-up now and then is allowed, a poll loop is not.
                c.check(used < 2 * SECONDS, f"{when}: {n} used {used:.2f} ms in {SECONDS} s")
                # toed looks at the counters once a second, and hears of neighbours.
                c.check(woke <= (2 * SECONDS if n == "toed" else 1), f"{when}: {n} woke up {woke} times")
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
