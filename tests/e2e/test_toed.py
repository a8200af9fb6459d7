#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""toed alone, without an application: it comes up, answers toectl, refuses what it cannot serve, leaves nothing."""
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import time

from lib import (CLIENT, DEV, PORT, SERVER, Testbed, alive, build, client, counter, start_server, test_main,
                 wait_for)
from testbed import children

RESERVED = "/proc/sys/net/ipv4/ip_local_reserved_ports"


def reserved(bed):
    return bed.server.run("cat", RESERVED).stdout.strip()


def status(c):
    """Up, described, and gone without a trace."""
    with Testbed("toed") as bed:
        bed.server.run("sh", "-c", f"echo 80,1000-1010 > {RESERVED}", check=True)
        bed.start_toed("--tcb-cache", "64")
        s = bed.status()
        dev = s["devices"][0]
        c.check(dev["name"] == DEV and dev["up"] and dev["program"]["id"] > 0, f"device: {dev}")
        c.check(dev["queues"] == [{"queue": 0, "fpc": 0, "mode": "copy"}], f"queues: {dev['queues']}")
        c.check(s["fpcs"][0]["tcb_cache"] == 64 and s["apps"] == [], "FPC and applications")
        c.check(reserved(bed) == f"80,1000-1010,{s['active_ports']}", f"reserved ports: {reserved(bed)}")
        c.check(bed.toectl("flows") == [], "no flows")
        names = [x["name"] for x in bed.toectl("stats")]
        c.check("rx_frames" in names and len(names) == len(set(names)), f"{len(names)} counters")
        c.check(bed.client.run("ping", "-c", "1", "-W", "2", SERVER).returncode == 0, "ping passes")
        c.check(bed.stop_toed() == 0, "SIGTERM ends it with status 0")
        c.check(reserved(bed) == "80,1000-1010", f"reserved ports afterwards: {reserved(bed)}")
        c.check(not os.path.exists(bed.env["TOE_SOCKET"]), "the socket file is gone")
        link = bed.server.run("ip", "link", "show", "dev", DEV).stdout
        c.check("xdp" not in link, "no program left")


def restart(c):
    """toe-fw dies: the next one serves, and toed counts it."""
    with Testbed("toed") as bed:
        bed.start_toed()
        pid = bed.firmware_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for("another toe-fw", lambda: bed.firmware_pid() not in (None, pid), 5)
        wait_for("firmware that runs", lambda: (bed.status() or {})["firmware"]["running"], 5)
        fw = bed.status()["firmware"]
        c.check(fw["restarts"] == 1 and fw["last_signal"] == 9, f"{fw}")


def refusals(c):
    """One line each, with the remedy, and exit status 1 or 2."""
    with Testbed("toed") as bed:
        bed.server.run("ip", "link", "add", "br9", "type", "bridge", check=True)
        sock = ["--socket", bed.env["TOE_SOCKET"]]
        for args, code, word in ((["--dev", "none0"], 1, "no such device"),
                                 (["--dev", "lo"], 1, "loopback"),
                                 (["--dev", "br9"], 1, "bridge's ports"),
                                 (["--dev", DEV, "--fw", "/nowhere"], 1, "--fw"),
                                 ([], 2, "--dev"),
                                 (["--dev", DEV, "--fpcs", "99"], 2, "--fpcs")):
            r = bed.server.run(build("toed"), *sock, *args, timeout=10)
            text = (r.stdout + (r.stderr or "")).strip()
            last = (text.splitlines() or [""])[-1]
            c.check(r.returncode == code and word in last, f"toed {' '.join(args)}: {r.returncode}, {last}")
        bed.start_toed()
        r = bed.server.run(build("toed"), *sock, "--dev", DEV, timeout=10)
        text = (r.stdout + (r.stderr or "")).strip()
        c.check(r.returncode == 1 and "another toed" in text, f"a second toed: {text[-100:]}")
        r = bed.server.run(build("toed"), "--socket", bed.env["TOE_SOCKET"] + "2", "--dev", DEV, timeout=10)
        text = (r.stdout + (r.stderr or "")).strip()
        c.check(r.returncode == 1 and "another toed" in text, f"a second toed elsewhere: {text[-100:]}")
        c.check(bed.status() is not None, "the first one goes on")
        r = bed.server.run(build("toectl"), "--socket", "/nowhere", "status", timeout=10)
        c.check(r.returncode == 1, "toectl without toed: status 1")


def neighbours(bed):
    return bed.server.run("ip", "neigh", "show", "dev", DEV).stdout


def link_address(side):
    return json.loads(side.run("ip", "-j", "link", "show", "dev", DEV).stdout)[0]["address"]


def managed(bed):
    return [x for x in neighbours(bed).splitlines() if "managed" in x or "extern" in x]


def permanent_neighbour(c):
    """A neighbour that an administrator has set, as it answers no ARP: it is used, and stays."""
    with Testbed("toed") as bed:
        bed.start_toed()
        start_server(bed, stack="linux", side=bed.client, port=PORT + 1)
        bed.client.run("ip", "link", "set", DEV, "arp", "off", check=True)
        bed.server.run("ip", "neigh", "flush", "dev", DEV, check=True)
        bed.server.run("ip", "neigh", "replace", CLIENT, "lladdr", link_address(bed.client), "dev", DEV, "nud", "permanent", check=True)
        bed.client.run("ip", "neigh", "replace", SERVER, "lladdr", link_address(bed.server), "dev", DEV, check=True)
        ok, text = client(bed, "open", 10, port=PORT + 1, stack="toe")
        c.check(ok and not managed(bed), f"connections from the TOE: {text}; {managed(bed)}")
        c.check("PERMANENT" in neighbours(bed), f"it is left as it was: {neighbours(bed)}")
        c.check(bed.stop_toed() == 0 and "PERMANENT" in neighbours(bed), "also when toed has ended")


def killed(c):
    """toed is killed, toe-fw ends with it: the kernel serves what is left, and the next toed cleans up."""
    with Testbed("toed") as bed:
        bed.server.run("sh", "-c", f"echo 80 > {RESERVED}", check=True)
        for again in range(3):
            bed.start_toed()
            start_server(bed, stack="linux", side=bed.client, port=PORT + 1) if not again else None
            ok, text = client(bed, "open", 10, port=PORT + 1, stack="toe")
            c.check(ok and len(managed(bed)) == 1, f"connections from the TOE: {text}; {managed(bed)}")
            c.check(reserved(bed) == f"80,{bed.status()['active_ports']}", f"one range is reserved: {reserved(bed)}")
            fw = bed.firmware_pid()
            bed.toed.kill()
            bed.toed.wait()
            bed.procs.remove(bed.toed)
            bed.toed = None
            wait_for("end of toe-fw", lambda: not os.path.exists(f"/proc/{fw}"), 3)  # noqa: B023
            p = start_server(bed, stack="linux")
            t0 = time.monotonic()
            c.check(alive(bed) and time.monotonic() - t0 < 0.5, "a kernel listener answers on the same device")
            c.check(bed.client.run("ping", "-c", "1", "-W", "2", SERVER).returncode == 0, "ping passes")
            p.kill()
            p.wait()
        bed.start_toed()
        c.check(managed(bed) == [], f"no neighbour is left: {managed(bed)}")
        c.check(bed.stop_toed() == 0 and reserved(bed) == "80", f"reserved ports at the end: {reserved(bed)}")
        c.check("xdp" not in bed.server.run("ip", "link", "show", "dev", DEV).stdout, "no program left")


def killed_with_applications(c):
    """toed and toe-fw die for good under load: both ends of each connection are told, the server serves on."""
    with Testbed("toed") as bed:
        for both in (False, True):
            toed = bed.start_toed()
            p = start_server(bed, port=PORT + both)
            q = start_server(bed, stack="linux", side=bed.client, port=PORT + 10 + both)
            load = bed.client.popen(build("tests/apps/client_linux"), "hold", SERVER, PORT + both, 20, 8, stdout=subprocess.PIPE)
            out = bed.server.popen(build("tests/apps/client_toe"), "hold", CLIENT, PORT + 10 + both, 20, 8, stdout=subprocess.PIPE)
            time.sleep(1)
            for pid in (children(toed.pid) if both else []) + [toed.pid]:
                os.kill(pid, 9)
            toed.wait()
            bed.procs.remove(toed)
            bed.toed = None
            for name, x in (("clients of the server", load), ("clients on the TOE", out)):
                try:
                    text = x.communicate(timeout=15)[0].decode().strip().splitlines()[-1:]
                except subprocess.TimeoutExpired:
                    x.kill()
                    text = "hang"
                c.check(text != "hang", f"{name}: {text}")
            c.check(alive(bed, PORT + both), "the server still serves, by the kernel")
            p.kill()
            q.kill()
            p.wait()


def crash_loop(c):
    """A firmware that dies at once, or soon: longer and longer pauses; with a good one all goes on as before."""
    with Testbed("toed") as bed:
        fw = os.path.join(bed.dir, "toe-fw")
        os.symlink(build("toe-fw"), fw)
        bed.start_toed("--fw", fw)
        start_server(bed)
        with bed.client.connect(PORT) as s:
            s.sendall(b"E\nx")
            c.check(s.recv(1) == b"x", "a connection")
            bad = os.path.join(bed.dir, "bad-fw")
            with open(bad, "w", encoding="ascii") as f:
                f.write("#!/bin/sh\nexit 3\n")
            os.chmod(bad, 0o755)
            os.rename(bad, fw)
            t0 = time.monotonic()
            os.kill(bed.firmware_pid(), signal.SIGSEGV)
            time.sleep(1.2)
            n = wait_for("starts", lambda: (r := bed.status()["firmware"]["restarts"]) >= 5 and r, 20)
            ms = (time.monotonic() - t0) * 1000
            c.check(1 << n - 2 <= ms, f"{n} starts in {ms:.0f} ms of a firmware that ends at once: each pause is twice as long")
            log = bed.log("toed.log").strip().splitlines()[-1]
            c.check("status 3" in log and "times in a row" in log, log)
            os.unlink(fw)
            time.sleep(1.2)
            c.check("--fw" in bed.log("toed.log").strip().splitlines()[-2], bed.log("toed.log").strip().splitlines()[-2])
            os.symlink(build("toe-fw"), fw)
            wait_for("firmware", lambda: bed.status()["firmware"]["running"], 10)
            s.sendall(b"y")
            c.check(s.recv(1) == b"y", "the connection lives")
        c.check(alive(bed), "new ones, too")


def cannot_start(c):
    """What is missing is said in one line, and nothing is left behind."""
    with Testbed("toed") as bed:
        sock = ["--socket", bed.env["TOE_SOCKET"], "--dev", DEV]
        public = os.path.join(bed.dir, "public")
        os.chmod(bed.dir, 0o755)
        os.mkdir(public)
        for f in ("toed", "toe-fw", "toe_xdp.bpf.o"):
            shutil.copy(build(f), public)
        for what, cmd, word in (
                ("a plain user", ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"{public}/toed", *sock], "root"),
                ("no object", [build("toed"), *sock, "--bpf-obj", "/nowhere.o"], "/nowhere.o"),
                ("a bad object", [build("toed"), *sock, "--bpf-obj", build("toe-fw")], "toe-fw"),
                ("no firmware", [build("toed"), *sock, "--fw", "/nowhere"], "--fw"),
                ("a bad firmware", [build("toed"), *sock, "--fw", "/bin/false"], "toe-fw"),
                ("a bad place for the socket", [build("toed"), "--dev", DEV, "--socket", "/proc/none/sock"], "/proc/none")):
            r = bed.server.run(*cmd, timeout=15)
            last = (r.stdout.strip().splitlines() or [""])[-1]
            c.check(r.returncode == 1 and word in last, f"{what}: {r.returncode}, {last}")
            c.check(reserved(bed) == "" and "xdp" not in bed.server.run("ip", "link", "show", "dev", DEV).stdout, "nothing is left")


def ended_while_starting(c):
    """SIGTERM at any moment of the start: all is put back."""
    with Testbed("toed") as bed:
        bad = []
        for ms in range(0, 300, 12):
            bed.start_toed(wait=False)
            time.sleep(ms / 1000)
            status = bed.stop_toed()
            # Before the signal is caught its default ends the process: nothing has been done by then.
            # ip complains beside that of names in /run/netns that are not ours.
            left = reserved(bed) + bed.server.run("sh", "-c", f"ip link show dev {DEV} 2>&1 | grep xdp").stdout
            if status not in (0, -signal.SIGTERM) or left or os.path.exists(bed.env["TOE_SOCKET"]):
                bad.append((ms, status, left))
        c.check(not bad, f"25 times: {bad}")


def device_goes(c):
    """The device is deleted with its peer: connections end, toed says so and ends; with a new device it starts again."""
    with Testbed("toed") as bed:
        bed.start_toed()
        p = start_server(bed)
        socks = [bed.client.connect(PORT) for _ in range(5)]
        bed.client.run("ip", "link", "del", DEV, check=True)
        c.check(bed.toed.wait(10) == 1, "toed ends with status 1")
        bed.procs.remove(bed.toed)
        bed.toed = None
        c.check("has gone" in bed.log("toed.log"), bed.log("toed.log").strip().splitlines()[-2])
        c.check(reserved(bed) == "", "no port stays reserved")
        p.kill()
        p.wait()
        for s in socks:
            s.close()
        bed._veth(bed.server, DEV, bed.client, DEV)  # pylint: disable=protected-access
        for s, addr in ((bed.server, SERVER), (bed.client, CLIENT)):
            s.run("ip", "addr", "add", f"{addr}/24", "dev", DEV, check=True)
        bed.start_toed()
        start_server(bed)
        c.check(alive(bed), "a new device, a new toed: serves")


def frame_owners(bed):
    """Frames of the device by owner (firmware/port/linux/frames.h): {0: the FPCs, 1: fill ring, 2: sending}."""
    n = 4096 + 2048
    for fd in os.listdir(f"/proc/{bed.toed.pid}/fd"):
        path = f"/proc/{bed.toed.pid}/fd/{fd}"
        if "toe-umem" in os.readlink(path):
            with open(path, "rb") as f:
                f.seek(n * 2048)
                owners = [w & 0xFF for w in struct.unpack(f"<{n}Q", f.read(8 * n))]
            return {o: owners.count(o) for o in sorted(set(owners))}
    return {}


def frames_survive(c):
    """toe-fw killed 60 times under load: every frame is where it was, none lost, none twice."""
    rng = random.Random(7)
    with Testbed("toed") as bed:
        bed.start_toed()
        start_server(bed)
        load = [bed.client.popen(build("tests/apps/client_linux"), *what, stdout=subprocess.DEVNULL)
                for what in (("hold", SERVER, PORT, 100, 30), ("get", SERVER, PORT, 30000 << 20))]
        for _ in range(60):
            pid = wait_for("toe-fw", bed.firmware_pid, 5, 0.002)
            time.sleep(rng.uniform(0, 0.1))
            os.kill(pid, signal.SIGKILL)
            wait_for("another toe-fw", lambda: bed.firmware_pid() not in (None, pid), 5, 0.002)  # noqa: B023
        for p in load:
            p.kill()
            p.wait()
        wait_for("running firmware", lambda: bed.status()["firmware"]["running"])
        c.check(alive(bed), "serves")
        want = {0: 4096, 1: 2048}
        try:
            # Completions are looked at when there is something to send.
            wait_for("frames to come to rest", lambda: alive(bed) and frame_owners(bed) == want, 5)
        finally:
            c.check(frame_owners(bed) == want, f"frames by owner: {frame_owners(bed)}")


def mtu_grows(c):
    """Frames are made for the MTU of the start: a larger one must not write beyond them."""
    with Testbed("toed") as bed:
        bed.start_toed()
        start_server(bed)
        for s in (bed.server, bed.client):
            s.run("ip", "link", "set", DEV, "mtu", 3400, check=True)
        time.sleep(0.3)
        for what in ("get", "put", "echo"):
            ok, text = client(bed, what, 20 << 20, timeout=15)
            c.check(ok, f"{what} at MTU 3400: {text}")
        c.check(bed.status()["firmware"]["restarts"] == 0, "toe-fw runs on")


def opens(bed, addr):
    """Does a connection to `addr` open, and is it the TOE's?"""
    before = counter(bed, "passive_opens")
    s = bed.client.socket()
    s.settimeout(1)
    try:
        s.connect((addr, PORT))
    except OSError:
        return False
    finally:
        s.close()
    return counter(bed, "passive_opens") > before


def netlink_overrun(c):
    """While toed does not look, more happens than its netlink socket holds: it serves what is there afterwards."""
    with Testbed("toed") as bed:
        bed.start_toed()
        start_server(bed)
        bed.server.run("ip", "addr", "add", "192.0.2.50/24", "dev", DEV, check=True)
        wait_for("the second address", lambda: opens(bed, "192.0.2.50"), 5)
        os.kill(bed.toed.pid, signal.SIGSTOP)
        batch = os.path.join(bed.dir, "batch")
        with open(batch, "w") as f:
            for i in range(2000):
                f.write(f"addr add 198.51.100.{i % 200}/32 dev lo\naddr del 198.51.100.{i % 200}/32 dev lo\n")
            f.write(f"addr del 192.0.2.50/24 dev {DEV}\naddr add 192.0.2.60/24 dev {DEV}\n")
        bed.server.run("ip", "-batch", batch, check=True)
        mac = link_address(bed.server)
        os.kill(bed.toed.pid, signal.SIGCONT)
        wait_for("the new address", lambda: opens(bed, "192.0.2.60"), 5)
        c.check(True, "an address that came")
        bed.client.run("ip", "neigh", "replace", "192.0.2.50", "lladdr", mac, "dev", DEV, check=True)
        c.check(not opens(bed, "192.0.2.50"), "an address that went")
        os.kill(bed.toed.pid, signal.SIGSTOP)
        with open(batch, "a") as f:
            f.write(f"link del {DEV}\n")
        bed.server.run("sed", "-i", f"/dev {DEV}/d", batch, check=True)
        bed.server.run("ip", "-batch", batch, check=True)
        os.kill(bed.toed.pid, signal.SIGCONT)
        wait_for("toed's end", lambda: bed.toed.poll() is not None, 10)
        c.check("has gone" in bed.log("toed.log"), "a device that went")


def new_link_address(c):
    """The device's address changes: frames of connections that live carry the new one."""
    new = "02:00:00:12:34:56"
    with Testbed("toed") as bed:
        bed.start_toed()
        start_server(bed)
        s = bed.client.connect(PORT)
        s.sendall(b"E\nabc")
        c.check(s.recv(3) == b"abc", "a connection")
        wire = bed.client.socket(socket.AF_PACKET, socket.SOCK_RAW)
        wire.bind((DEV, 3))  # ETH_P_ALL
        bed.server.run("ip", "link", "set", DEV, "address", new, check=True)
        wait_for("toed's word", lambda: new in bed.log("toed.log"), 5)
        s.sendall(b"def")
        c.check(s.recv(3) == b"def", "it lives on")
        from_port, sources = PORT.to_bytes(2, "big"), set()
        wire.settimeout(0.5)
        try:
            while True:
                f = wire.recv(2048)
                if f[12:14] == b"\x08\x00" and f[23] == 6 and f[34:36] == from_port:
                    sources.add(f[6:12].hex(":"))
        except TimeoutError:
            pass
        c.check(sources == {new}, f"its frames come from {sources}")
        c.check(alive(bed), "new connections work")


test_main("e2e toed", status, restart, refusals, permanent_neighbour, killed, killed_with_applications, crash_loop, cannot_start,
          ended_while_starting, device_goes, frames_survive, mtu_grows, netlink_overrun, new_link_address)
