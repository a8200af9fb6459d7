#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""NGINX on the TOE: files of all sizes, both numbers of workers, and reload under load without a failed request."""
import hashlib
import os
import re
import signal
import socket
import threading
import time

from lib import MIB, SERVER, SERVER6, Testbed, counter, flows, test_main, wait_for
from measure import fetch, start_nginx, wrk
from testbed import children


def files(c):
    with Testbed("nginx") as bed:
        bed.start_toed()
        start_nginx(bed, 1, sendfile="on")
        rng = os.urandom(1 << 20)
        for n in (1, 255, 1460, 65536, 65537, MIB, 20 * MIB):
            data = (rng * (n // len(rng) + 1))[:n]
            with open(f"{bed.dir}/www/f{n}", "wb") as f:
                f.write(data)
            body = fetch(bed, f"/f{n}")
            c.check(body is not None and hashlib.sha256(body).digest() == hashlib.sha256(data).digest(),
                    f"a file of {n} bytes")
        c.check(fetch(bed, "/absent") is None, "404 for what is not there")
        r = wrk(bed, 64, 3)
        c.check(r["errors"] == 0 and r["requests"] > 1000, f"wrk, 64 connections: {r['rps']:.0f}/s, {r['errors']} errors")
        r = wrk(bed, 1, 1)
        c.check(r["errors"] == 0 and r["requests"] > 100, f"wrk, 1 connection: {r['rps']:.0f}/s, p50 {r['p50']:.0f} us")
        bad = [line for line in bed.log("nginx.log").splitlines() if re.search(r"\[(emerg|alert|crit)\]", line)]
        c.check(not bad, f"no alert in NGINX's log {bad[-1:]}")


def through_the_toe(c):
    """The requests did go through the TOE, and the kernel has no connection of them."""
    with Testbed("nginx") as bed:
        bed.start_toed()
        start_nginx(bed, 2)
        socks = [bed.client.connect(80) for _ in range(10)]
        n = wait_for("ten flows", lambda: len(flows(bed)) >= 10 and len(flows(bed)))
        kernel = bed.server.run("sh", "-c", "grep -c ' 01 ' /proc/net/tcp").stdout.strip()
        c.check(n >= 10 and kernel == "0", f"{n} flows in the TOE, {kernel} connections in the kernel")
        for s in socks:
            s.close()
        with bed.server.socket() as s:  # loopback stays the kernel's, by the same listener
            s.connect((SERVER, 80))
            s.sendall(b"GET /256 HTTP/1.0\r\n\r\n")
            c.check(b" 200 " in s.recv(4096), "a local client is served through the kernel")


def both_families(c):
    """`listen [::]:80 ipv6only=off`: one socket for both; without it, IPv6 alone."""
    for only in ("off", "on"):
        with Testbed("nginx") as bed:
            bed.start_toed()
            start_nginx(bed, 1, listen=f"[::]:80 ipv6only={only}", addr=SERVER6)
            before = counter(bed, "passive_opens")
            c.check(fetch(bed, "/256", SERVER6) is not None, f"ipv6only={only}: IPv6")
            c.check((fetch(bed, "/256", SERVER) is not None) == (only == "off"), f"ipv6only={only}: IPv4")
            n = counter(bed, "passive_opens") - before
            c.check(n == (2 if only == "off" else 1), f"ipv6only={only}: {n} connections by the TOE")


class Load(threading.Thread):
    """Requests without pause on kept connections. A kept connection may end between two requests, not within one."""

    def __init__(self, bed):
        super().__init__(daemon=True)
        self.bed, self.done, self.failed, self.stop = bed, 0, [], False

    def request(self, s):
        s.sendall(b"GET /256 HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < 256:
            chunk = s.recv(4096)
            if not chunk:
                return data or None
            data += chunk
        return data

    def run(self):
        s, fresh = None, True
        while not self.stop:
            try:
                if not s:
                    s, fresh = self.bed.client.connect(80), True
                data = self.request(s)
            except OSError as e:
                data = None if not fresh and isinstance(e, (ConnectionResetError, BrokenPipeError)) else e
            if isinstance(data, bytes) and b" 200 " in data and len(data.partition(b"\r\n\r\n")[2]) == 256:
                self.done, fresh = self.done + 1, False
                if self.done % 10:
                    continue
            elif data is not None or fresh:
                self.failed.append(repr(data))
            # None on a kept connection: it was closed while idle, as RFC 9112 9.3.1 allows; ask again on a new one.
            if s:
                s.close()
            s = None


def reload_under_load(c):
    with Testbed("nginx") as bed:
        bed.start_toed()
        p = start_nginx(bed, 2)
        loads = [Load(bed) for _ in range(4)]
        for t in loads:
            t.start()
        for i in range(5):
            time.sleep(0.5)
            old = set(children(p.pid))
            os.kill(p.pid, signal.SIGHUP)
            wait_for("new workers", lambda: len(set(children(p.pid)) - old) >= 2, 10)  # noqa: B023
        time.sleep(0.5)
        for t in loads:
            t.stop = True
        for t in loads:
            t.join(10)
        done, failed = sum(t.done for t in loads), [f for t in loads for f in t.failed]
        c.check(done > 500, f"{done} requests during five reloads")
        c.check(not failed, f"{len(failed)} failed {failed[:3]}")
        wait_for("end of the old workers", lambda: len(children(p.pid)) == 2, 20)
        c.check(fetch(bed, "/256") is not None, "and it serves on")


def clean_end(c):
    with Testbed("nginx") as bed:
        bed.start_toed()
        p = start_nginx(bed, 2)
        p.send_signal(signal.SIGQUIT)
        p.wait(10)
        c.check(p.returncode == 0, f"NGINX quits with status {p.returncode}")
        wait_for("end of flows", lambda: not [f for f in flows(bed) if f.get("state") != "TIME_WAIT"], 5)
        with bed.client.socket(kind=socket.SOCK_STREAM) as s:
            c.check(s.connect_ex((SERVER, 80)) == 111, "then its port refuses")


if __name__ == "__main__":
    test_main("e2e nginx", files, through_the_toe, both_families, reload_under_load, clean_end)
