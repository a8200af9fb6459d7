#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bytes between the TOE and Linux TCP, each compared with what was sent: 1 B to 1 GiB, both ways, both kinds of open."""
from lib import GIB, KIB, MIB, Testbed, client, start_server, test_main, transfer

SIZES = (1, 2, 1447, 1448, 1449, 1460, 4095, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB + 7, 100 * MIB)


def passive_open(c):
    """Linux connects to a server on the TOE."""
    with Testbed("transfer") as bed:
        bed.start_toed()
        start_server(bed)
        for what in ("get", "put"):
            for n in SIZES:
                transfer(c, bed, what, n)
        for n in (1, 64 * KIB + 1, 50 * MIB):
            transfer(c, bed, "echo", n)


def active_open(c):
    """A program on the TOE connects to a Linux server."""
    with Testbed("transfer") as bed:
        bed.start_toed()
        start_server(bed, stack="linux", side=bed.client)
        for what in ("get", "put"):
            for n in (1, 1449, 64 * KIB + 1, 20 * MIB):
                transfer(c, bed, what, n, stack="toe")
        transfer(c, bed, "echo", 5 * MIB, stack="toe")
        ok, text = client(bed, "get", 1, port=7999, stack="toe")
        c.check(not ok and "refused" in text, f"connect to a closed port: {text}")


def a_gibibyte(c):
    with Testbed("transfer") as bed:
        bed.start_toed()
        start_server(bed)
        for what in ("get", "put"):
            transfer(c, bed, what, GIB, timeout=120)


test_main("e2e transfer", passive_open, active_open, a_gibibyte)
