#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Starting and ending: twice in a row, by hand, as a plain user, with a busy port; and what is left afterwards."""
import os
import socket
import subprocess

from lib import DEV, MIB, PORT, SERVER, Testbed, alive, build, client, flows, start_server, test_main, wait_for
from testbed import SERVER_CPUS


def xdp_of(bed):
    return "prog/xdp" in bed.server.run("ip", "link", "show", "dev", DEV).stdout


def twice(c):
    """The same device: toed ends and starts, and everything is as before."""
    with Testbed("setup") as bed:
        for i in range(2):
            bed.start_toed()
            c.check(xdp_of(bed), f"run {i + 1}: the XDP program is attached")
            p = start_server(bed)
            ok, text = client(bed, "get", MIB)
            c.check(ok, f"run {i + 1}: {text}")
            s = bed.client.connect(PORT)
            s.sendall(b"E\nx")
            s.recv(1)
            c.check(bed.stop_toed() == 0, f"run {i + 1}: SIGTERM ends toed with status 0")
            try:
                s.settimeout(3)
                told = s.recv(1) == b""
            except OSError as e:
                told = isinstance(e, ConnectionResetError)
            c.check(told, f"run {i + 1}: the live connection was reset")
            s.close()
            c.check(not xdp_of(bed), f"run {i + 1}: the XDP program is gone")
            p.kill()
            p.wait()


def killed_toed(c):
    """Both daemons killed: the next toed starts cold over what they left."""
    with Testbed("setup") as bed:
        bed.start_toed()
        p = start_server(bed)
        bed._kill(bed.toed)
        bed.procs.remove(bed.toed)
        p.kill()
        p.wait()
        bed.start_toed()
        start_server(bed)
        ok, text = client(bed, "get", MIB)
        c.check(ok, f"after SIGKILL of toed and toe-fw: {text}")


def by_hand(c):
    """`ip link set ... xdp`, which toed then adopts and leaves in place."""
    for sec in ("xdp", "xdp.frags"):
        with Testbed("setup") as bed:
            r = bed.server.run("ip", "link", "set", "dev", DEV, "xdp", "obj", build("toe_xdp.bpf.o"), "sec", sec)
            c.check(r.returncode == 0, f"ip link attaches section {sec} {r.stdout.strip()[-200:]}")
            if r.returncode:
                continue
            ping = bed.client.run("ping", "-c", "1", "-W", "2", SERVER)
            c.check(ping.returncode == 0, "without toed everything passes")
            bed.start_toed()
            start_server(bed)
            ok, text = client(bed, "put", MIB)
            c.check(ok and counter_ok(bed), f"toed adopted it: {text}")
            bed.stop_toed()
            ping = bed.client.run("ping", "-c", "1", "-W", "2", SERVER)
            c.check(xdp_of(bed) and ping.returncode == 0, "it stays when toed ends, and passes everything")


def counter_ok(bed):
    """The connection was the TOE's."""
    return any(f.get("state") for f in flows(bed)) or bed.toectl("stats") is not None


def busy_port(c):
    """A port that is taken in the kernel is EADDRINUSE for the TOE, and the other way round."""
    with Testbed("setup") as bed:
        bed.start_toed()
        k = bed.server.socket()
        k.bind(("", PORT))
        k.listen()
        r = bed.server.run(build("tests/apps/server_toe"), PORT, timeout=5)
        c.check("in use" in r.stdout, f"kernel first: {r.stdout.strip()}")
        k.close()
        start_server(bed)
        c.check(alive(bed), "free again: served")
        k = bed.server.socket()
        try:
            k.bind(("", PORT))
            k.listen()
            c.check(False, "TOE first: the kernel refuses")
        except OSError as e:
            c.check(e.errno == 98, f"TOE first: {e.strerror}")
        k.close()


def chosen_port(c):
    """A port that the kernel chose stays taken while connections of its listener are left, if only in TIME_WAIT."""
    with Testbed("setup") as bed:
        bed.start_toed()
        server = start_server(bed, port=0)
        port = int(bed.server.run("ss", "-Htln", check=True).stdout.split()[3].rsplit(":", 1)[1])
        c.check(alive(bed, port), f"port {port} is served")
        server.terminate()
        server.wait(10)
        wait_for("end of the application", lambda: not bed.status()["apps"])
        c.check(bed.status()["endpoints"]["closing"] == 1, "its last connection is in TIME_WAIT")
        k = bed.server.socket()
        try:
            k.bind(("", port))
            c.check(False, "the kernel refuses the port")
        except OSError as e:
            c.check(e.errno == 98, f"the kernel refuses the port: {e.strerror}")
        k.close()


def plain_user(c):
    """Without root: one line that says what is missing; an application that is not admitted uses the kernel."""
    def nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    r = subprocess.run([build("toed"), "--dev", "lo"], preexec_fn=nobody, capture_output=True, text=True, timeout=10,
                       check=False)
    text = r.stderr.strip()
    c.check(r.returncode != 0 and len(text.splitlines()) == 1 and "root" in text.lower(), f"toed: {text}")
    for cmd in ("demo", "bench"):
        script = f"{os.path.dirname(os.path.abspath(__file__))}/../../userspace/bench/{cmd}.py"
        r = subprocess.run(["python3", script], preexec_fn=nobody, capture_output=True, text=True, timeout=20, check=False)
        text = (r.stdout + r.stderr).strip()
        c.check(r.returncode != 0 and len(text.splitlines()) == 1 and "root" in text, f"{cmd}: {text[-200:]}")


def no_toed(c):
    """libtoe without toed: the kernel's sockets."""
    with Testbed("setup") as bed:
        start_server(bed)
        ok, text = client(bed, "put", MIB)
        c.check(ok, f"no toed: {text}")


def two_cores(c):
    """Two FPCs, each with its own flows."""
    with Testbed("setup") as bed:
        bed.start_toed("--fpcs", "2", "--cpus", f"{SERVER_CPUS[0]},{SERVER_CPUS[-1]}")
        start_server(bed)
        ok, text = client(bed, "open", 2000)
        c.check(ok, f"two FPCs: {text}")
        socks = [bed.client.connect(PORT) for _ in range(64)]
        wait_for("flows", lambda: len([f for f in flows(bed) if f.get("state") == "ESTABLISHED"]) >= 64, 5)
        used = {f.get("fpc") for f in flows(bed)}
        c.check(used == {0, 1}, f"flows on FPCs {used}")
        for s in socks:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.close()


test_main("e2e setup", twice, killed_toed, by_hand, busy_port, chosen_port, plain_user, no_toed, two_cores)
