# SPDX-License-Identifier: BSD-2-Clause
"""What the end-to-end tests share: the path to the testbed, and servers and clients on either stack."""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../harness"), os.path.join(HERE, "../../userspace/bench")]
from testbed import CLIENT, CLIENT6, CLIENT_CPU, DEV, SERVER, SERVER6, SERVER_CPUS, Testbed, Trouble, build, test_main, wait_for  # noqa: E402,F401,E501  pylint: disable=unused-import

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PORT = 7000


def start_server(bed, port=PORT, workers=0, stack="toe", side=None, addr="0.0.0.0"):
    """tests/apps/server.c, ready to be asked."""
    log = f"server{port}-{len(bed.procs)}.log"
    cpus = SERVER_CPUS if side in (None, bed.server) else [CLIENT_CPU]
    p = (side or bed.server).popen(build(f"tests/apps/server_{stack}"), port, workers, addr, log=log, cpus=cpus)

    def ready():
        if p.poll() is not None:
            raise Trouble("server ended: " + bed.log(log).strip()[-200:])
        return "ready" in bed.log(log)
    wait_for("ready server", ready)
    p.log = log
    return p


def client(bed, what, amount, *more, port=PORT, stack="linux", timeout=60, addr=None, side=None):
    """tests/apps/client.c to its end: (success, last line). From the client's side unless on the TOE, or told."""
    there, to = (bed.client, SERVER) if stack == "linux" else (bed.server, CLIENT)
    r = (side or there).run(build(f"tests/apps/client_{stack}"), what, addr or to, port, amount, *more, timeout=timeout)
    lines = r.stdout.strip().splitlines() or [f"status {r.returncode}"]
    return r.returncode == 0 and lines[-1].startswith("ok"), lines[-2 if what == "hold" and len(lines) > 1 else -1]


def transfer(c, bed, what, amount, **kw):
    ok, text = client(bed, what, amount, **kw)
    c.check(ok, f"{what} {amount} B{' (TOE connects)' if kw.get('stack') == 'toe' else ''}: {text}")


def names(bed, addr, port=PORT, stack="linux"):
    """Words of `client names`: own LOCAL PORT PEER PORT, then the server's."""
    side = bed.client if stack == "linux" else bed.server
    r = side.run(build(f"tests/apps/client_{stack}"), "names", addr, port, 0, timeout=20)
    return (r.stdout.split() if r.returncode == 0 else []) + 8 * ["?"]


def link_local(side, dev=DEV):
    """The link-local address of the side's device."""
    out = side.run("ip", "-6", "-o", "addr", "show", "dev", dev, "scope", "link").stdout
    return out.split()[3].split("/")[0]


def ask(bed, line, port=PORT):
    """One command line to a server, answer as text (raises OSError on a reset)."""
    with bed.client.connect(port) as s:
        s.sendall(line.encode() + b"\n")
        out = b""
        while chunk := s.recv(65536):
            out += chunk
    return out.decode()


def alive(bed, port=PORT):
    """Does a fresh connection work?"""
    try:
        return ask(bed, "W", port).strip().isdigit()
    except OSError:
        return False


def flows(bed):
    """Live flows by toectl: a list."""
    return bed.toectl("flows") or []


def counter(bed, name):
    """A counter by toectl, summed over FPCs and CPUs."""
    return toe_counters(bed).get(name, 0)


def toe_counters(bed):
    """All counters by toectl, summed over FPCs and CPUs: {name: value}."""
    out = {}
    for row in bed.toectl("stats") or []:
        out[row["name"]] = out.get(row["name"], 0) + row["value"]
    return out


def kernel_counters(side):
    """The kernel's counters of a namespace by nstat: {"TcpRetransSegs": value, ...}."""
    return json.loads(side.run("nstat", "-azsj", check=True).stdout)["kernel"]


def linux_ccs():
    """The congestion controls that the kernel has."""
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as f:
        return tuple(f.read().split())


def linux_route(bed, family, cc, *more):
    """Linux' side takes that congestion control: its route's needs no permission of the first namespace's."""
    net = ("192.0.2.0/24", "src", CLIENT) if family == 4 else ("2001:db8::/64",)
    bed.client.run("ip", f"-{family}", "route", "replace", *net, "dev", DEV, "proto", "kernel", "congctl", cc, *more, check=True)


def hold_result(text):
    """(alive, count) of what `client hold` printed."""
    m = re.search(r"alive (\d+) of (\d+)", text)
    return (int(m[1]), int(m[2])) if m else (0, 0)
