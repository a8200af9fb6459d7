#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Buffers beyond 64 KB: they grow, they carry the right bytes, and their memory comes back."""
from lib import KIB, MIB, Testbed, counter, start_server, test_main, transfer, wait_for


def arenas(bed):
    """Bytes of all applications' arenas that are in memory."""
    return bed.status()["memory"]["arenas"]


def they_grow(c):
    """Streams in both directions and both kinds of open; afterwards the memory is given back."""
    with Testbed("buffers") as bed:
        bed.start_toed()
        start_server(bed)
        before = arenas(bed)
        for what in ("get", "put", "echo"):
            transfer(c, bed, what, 100 * MIB)
        c.check(counter(bed, "buffers_grown") > 0, f"rings grew {counter(bed, 'buffers_grown')} times")
        c.check(counter(bed, "buffers_refused") == 0, "none was refused")
        wait_for("memory to come back", lambda: arenas(bed) < before + 2 * MIB, 10)
        c.check(True, f"in memory: {before // KIB} KB before, {arenas(bed) // KIB} KB after")


def they_do_not(c):
    """With the limits at 0 the default rings carry everything."""
    with Testbed("buffers") as bed:
        bed.start_toed("--rcvbuf-max", "0", "--sndbuf-max", "0")
        start_server(bed)
        for what in ("get", "put", "echo"):
            transfer(c, bed, what, 20 * MIB)
        c.check(counter(bed, "buffers_grown") == 0, "no ring grew")


def no_memory_left(c):
    """What an application may have is used up at once: connections go on with what they have."""
    with Testbed("buffers") as bed:
        bed.start_toed("--app-buffers", "64K")
        start_server(bed)
        for what in ("get", "put", "echo"):
            transfer(c, bed, what, 50 * MIB)
        c.check(counter(bed, "buffers_grown") == 0, "no ring grew")


test_main("e2e buffers", they_grow, they_do_not, no_memory_left)
