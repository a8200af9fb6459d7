#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Calls that wait on the TOE end as the kernel's do; what a connection is to another process."""
import contextlib
import threading

from lib import CLIENT, PORT, Testbed, build, counter, flows, test_main, wait_for

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


def passed_on(c):
    """A connection stays with the process: others are not given a descriptor that leads nowhere."""
    with Testbed("waits") as bed, silent_peer(bed):
        bed.start_toed()
        r = bed.server.run(build("tests/apps/waits_toe"), "pass", CLIENT, PORT, timeout=20)
        said = r.stdout.splitlines()
        c.check(r.returncode == 0 and said == ["a connection: Operation not supported, at once",
                                               "which goes on: some, at once",
                                               "an undecided socket: some, at once"], f"SCM_RIGHTS: {said}")


def other_programs(c):
    """exec ends a connection, and tells the peer; one in a child leaves the parent's alone."""
    with Testbed("waits") as bed, silent_peer(bed) as accepted:
        bed.start_toed()
        p = bed.server.popen(build("tests/apps/waits_toe"), "exec", CLIENT, PORT)
        a = wait_for("connection", lambda: accepted and accepted[0])
        c.check(ended(a), "the peer of a program that became another hears of its end")
        c.check(p.poll() is None, "while that runs")
        wait_for("end of the flow", lambda: not flows(bed))
        r = bed.server.popen(build("tests/apps/waits_toe"), "spawn", CLIENT, PORT)
        a = wait_for("connection", lambda: len(accepted) > 1 and accepted[1])
        c.check(a.recv(10) == b"x", "a parent sends on after its child's exec")
        c.check(a.recv(10) == b"", "and closes, in order")
        c.check(r.wait(10) == 0, "it ends")


def ended(sock):
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


test_main("e2e waits", as_the_kernel_says, passed_on, other_programs)
