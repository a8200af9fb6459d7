#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Connections come and go: many, half-closed, reset, with the server away, and more than the TCB cache holds."""
import os
import socket
import struct
import time

from lib import PORT, SERVER, Testbed, alive, ask, client, counter, flows, hold_result, start_server, test_main, wait_for


def ten_thousand(c):
    with Testbed("conns") as bed:
        bed.start_toed()
        p = start_server(bed)
        ok, text = client(bed, "open", 10000, timeout=100)
        c.check(ok, f"10,000 connections, the client closes first: {text}")
        good = sum(alive(bed) for _ in range(500))
        c.check(good == 500, f"500 connections, the server closes first: {good}")
        wait_for("end of all flows", lambda: not [f for f in flows(bed) if f.get("state") != "TIME_WAIT"], 10)
        c.check(True, "no flow is left")
        with open(f"/proc/{p.pid}/fd/0", encoding="ascii"):
            n = len(os.listdir(f"/proc/{p.pid}/fd"))
        c.check(n < 600, f"the server holds {n} descriptors")


def half_close(c):
    with Testbed("conns") as bed:
        bed.start_toed()
        start_server(bed)
        with bed.client.connect(PORT) as s:  # the client shuts down first, the answer comes afterwards
            s.sendall(b"P\n")
            s.shutdown(socket.SHUT_WR)
            c.check(s.recv(100) == b"0 -1\n", "client half-closes: the answer still arrives")
            c.check(s.recv(100) == b"", "then the server's FIN")
        with bed.client.connect(PORT) as s:  # the server shuts down first, and still receives
            s.sendall(b"G 5\n")
            got = b""
            while chunk := s.recv(100):
                got += chunk
            c.check(len(got) == 5, "server half-closes: data, then FIN")
            s.sendall(bytes(100000))
        wait_for("count", lambda: ask(bed, "S").strip() == "100000", 5)
        c.check(True, "and the server received 100,000 bytes after its FIN")


def resets(c):
    with Testbed("conns") as bed:
        bed.start_toed()
        start_server(bed)
        try:
            c.check(ask(bed, "R") is None, "SO_LINGER 0 resets")
        except ConnectionResetError:
            c.check(True, "SO_LINGER 0 resets")
        c.check(ask(bed, "C") == "", "close at once: FIN")
        for _ in range(20):
            s = bed.client.connect(PORT)
            s.sendall(b"E\nhello")
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        c.check(alive(bed), "20 resets by the client: the server goes on")
        wait_for("end of reset flows", lambda: not [f for f in flows(bed) if f.get("state") == "ESTABLISHED"], 5)
        try:
            bed.client.connect(PORT + 1).close()
            c.check(False, "a port without listener refuses")
        except ConnectionRefusedError:
            c.check(True, "a port without listener refuses")


def server_away(c):
    with Testbed("conns") as bed:
        bed.start_toed()
        for i in range(3):
            p = start_server(bed)
            c.check(alive(bed), f"start {i + 1}: served")
            p.terminate()
            p.wait()

            def refused():
                try:
                    bed.client.connect(PORT).close()
                except ConnectionRefusedError:
                    return True
                except OSError:
                    pass
                return False
            wait_for("refusal", refused, 5)
            c.check(True, f"stop {i + 1}: refused")


def small_cache(c):
    """2,000 connections with 16 TCBs in the cache: all work, the rest of the TCBs spill."""
    with Testbed("conns") as bed:
        bed.start_toed("--tcb-cache", "16")
        start_server(bed)
        ok, text = client(bed, "hold", 2000, 3, timeout=90)
        c.check(ok and hold_result(text) == (2000, 2000), f"2,000 connections with 16 cached TCBs: {text}")
        evicted = counter(bed, "tcb_evictions")
        c.check(evicted > 2000, f"{evicted} evictions")


def not_ours(c):
    """What the TOE does not own passes: ping, other TCP ports, UDP."""
    with Testbed("conns") as bed:
        bed.start_toed()
        start_server(bed)
        p = bed.client.run("ping", "-c", "5", "-i", "0.2", SERVER)
        c.check(p.returncode == 0 and " 0% packet loss" in p.stdout, "ping passes")
        start_server(bed, port=2222, stack="linux")
        ok, text = client(bed, "put", 5 << 20, port=2222)
        c.check(ok, f"a kernel server beside it: {text}")
        u = bed.server.socket(kind=socket.SOCK_DGRAM)
        u.bind((SERVER, PORT))
        with bed.client.socket(kind=socket.SOCK_DGRAM) as s:
            s.sendto(b"datagram", (SERVER, PORT))
        c.check(u.recv(100) == b"datagram", "UDP to the same port number passes")
        c.check(alive(bed), "and the TOE serves")
        u.close()
        time.sleep(0)


test_main("e2e connections", ten_thousand, half_close, resets, server_away, small_cache, not_ours)
