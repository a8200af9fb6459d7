#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Socket options on the TOE say what the kernel's say; urgent data meets a kernel peer."""
import socket

from lib import CLIENT, PORT, Testbed, build, counter, start_server, test_main


def as_the_kernel_says(c):
    with Testbed("options") as bed:
        bed.start_toed()
        start_server(bed, stack="linux", side=bed.client)
        said = {}
        for stack in ("linux", "toe"):
            r = bed.server.run(build(f"tests/apps/options_{stack}"), CLIENT, PORT, timeout=20)
            c.check(r.returncode == 0, f"options on {stack}: status {r.returncode}")
            said[stack] = r.stdout.splitlines()
        c.check(counter(bed, "active_opens") == 1, "one of them was the TOE's")
        c.check(len(said["toe"]) == len(said["linux"]) > 100, "both say as much")
        for kernel, toe in zip(said["linux"], said["toe"]):
            c.check(kernel == toe, f"kernel: {kernel}; TOE: {toe}")


def urgent_bytes_harm_no_stream(c):
    """A kernel client sends urgent data before a command: the command is understood, the byte left out."""
    with Testbed("options") as bed:
        bed.start_toed()
        start_server(bed)
        with bed.client.connect(PORT) as s:
            s.send(b"X", socket.MSG_OOB)
            s.sendall(b"W\n")
            c.check(s.recv(100).strip().isdigit(), "the command behind an urgent byte")


test_main("e2e options", as_the_kernel_says, urgent_bytes_harm_no_stream)
