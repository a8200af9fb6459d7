#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""TCP Fast Open: kernel clients get a cookie from the TOE, and send their command with the SYN."""
import os
import signal
import socket
import struct

from lib import PORT, SERVER, SERVER6, Testbed, counter, start_server, test_main, wait_for


def ask(bed, addr, command):
    """A command by sendto and MSG_FASTOPEN, and the answer's beginning."""
    with bed.client.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET) as s:
        s.setblocking(True)  # else the kernel returns before it knows a cookie
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
        s.sendto(command, socket.MSG_FASTOPEN, (addr, PORT))
        return s.recv(100)


def kernel_clients(c):
    with Testbed("fastopen") as bed:
        bed.set(bed.client, "net.ipv4.tcp_fastopen", "1")
        bed.start_toed()
        start_server(bed, addr="::")
        used = 0
        for addr, what in ((SERVER, "IPv4"), (SERVER6, "IPv6")):
            c.check(ask(bed, addr, b"W\n").strip().isdigit(), f"{what}: first connection")
            c.check(counter(bed, "fast_opens") == used, f"{what}: it only got a cookie")
            metrics = bed.client.run("ip", "tcp_metrics", "show", addr, check=True).stdout
            c.check("fo_cookie" in metrics, f"{what}: which the client keeps: {metrics.strip()}")
            for _ in range(3):
                c.check(ask(bed, addr, b"W\n").strip().isdigit(), f"{what}: command with the SYN")
            used += 3
            c.check(counter(bed, "fast_opens") == used, f"{what}: the data of each SYN counted")


def restart(c):
    """A cookie is good after the firmware has died."""
    with Testbed("fastopen") as bed:
        bed.set(bed.client, "net.ipv4.tcp_fastopen", "1")
        bed.start_toed()
        start_server(bed)
        ask(bed, SERVER, b"W\n")
        pid = bed.firmware_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for("the next toe-fw", lambda: bed.firmware_pid() not in (None, pid))
        c.check(ask(bed, SERVER, b"W\n").strip().isdigit(), "command with the SYN")
        c.check(counter(bed, "fast_opens") == 1, "with the old cookie")


test_main("e2e fastopen", kernel_clients, restart)
