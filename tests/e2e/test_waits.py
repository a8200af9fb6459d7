#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Calls that wait on the TOE end as the kernel's do."""
import contextlib
import threading

from lib import CLIENT, PORT, Testbed, build, counter, test_main

HOLE = "192.0.2.99"


@contextlib.contextmanager
def silent_peer(bed):
    """On the client's side: accepts, sends "abc", reads nothing. Yields what it has accepted."""
    s = bed.client.socket()
    s.bind((CLIENT, PORT))
    s.listen(16)
    accepted = []

    def run():
        with contextlib.suppress(OSError):
            while True:
                accepted.append(s.accept()[0])
                accepted[-1].sendall(b"abc")
    t = threading.Thread(target=run, daemon=True)
    t.start()
    try:
        yield accepted
    finally:
        for a in [s] + accepted:
            a.close()


def as_the_kernel_says(c):
    with Testbed("waits") as bed, silent_peer(bed):
        bed.start_toed()
        said = {}
        for stack in ("linux", "toe"):
            r = bed.server.run(build(f"tests/apps/waits_{stack}"), "compare", CLIENT, PORT, HOLE, timeout=60)
            c.check(r.returncode == 0, f"waits on {stack}: status {r.returncode}")
            said[stack] = r.stdout.splitlines()
        c.check(counter(bed, "active_opens") >= 4, "one of them was the TOE's")
        c.check(len(said["toe"]) == len(said["linux"]) > 30, "both say as much")
        for kernel, toe in zip(said["linux"], said["toe"]):
            c.check(kernel == toe, f"kernel: {kernel}; TOE: {toe}")


test_main("e2e waits", as_the_kernel_says)
