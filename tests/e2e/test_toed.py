#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""toed alone, without an application: it comes up, answers toectl, refuses what it cannot serve, leaves nothing."""
import os
import signal

from lib import DEV, SERVER, Testbed, build, test_main, wait_for

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


test_main("e2e toed", status, restart, refusals)
