#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""TCP Fast Open: kernel clients get a cookie from the TOE, and send their command with the SYN; and the reverse."""
import os
import signal
import socket
import struct

from lib import (CLIENT, CLIENT6, PORT, SERVER, SERVER6, Testbed, client, counter, kernel_counters, start_server, test_main,
                 wait_for)


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


def passive_opens(side):
    """How many SYNs with data the kernel has accepted."""
    return kernel_counters(side)["TcpExtTCPFastOpenPassive"]


def toe_clients(c):
    """Each FPC asks once for a cookie; then every request goes with its SYN. Also after the firmware has died."""
    with Testbed("fastopen") as bed:
        bed.set(bed.client, "net.ipv4.tcp_fastopen", "3")
        bed.start_toed()
        start_server(bed, stack="linux", side=bed.client, addr="::")
        had = 0
        for addr, what in ((CLIENT, "IPv4"), (CLIENT6, "IPv6")):
            opens = counter(bed, "active_opens")
            ok, text = client(bed, "fast", 40, stack="toe", addr=addr)
            used, had = passive_opens(bed.client) - had, passive_opens(bed.client)
            c.check(ok and counter(bed, "active_opens") == opens + 40, f"{what}: {text}")
            c.check(30 <= used < 40, f"{what}: {used} of 40 with the SYN")
        pid = bed.firmware_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for("the next toe-fw", lambda: bed.firmware_pid() not in (None, pid))
        ok, text = client(bed, "fast", 40, stack="toe")
        used = passive_opens(bed.client) - had
        c.check(ok and 30 <= used < 40, f"another toe-fw: {used} of 40 with the SYN: {text}")
        bed.set(bed.client, "net.ipv4.tcp_fastopen", "0")
        ok, text = client(bed, "fast", 10, stack="toe")
        c.check(ok, f"a server that takes no data with the SYN: {text}")


test_main("e2e fastopen", kernel_clients, restart, toe_clients)
