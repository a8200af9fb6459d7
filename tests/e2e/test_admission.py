#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""toed's socket, by hand: what no libtoe would do, and processes that die where libtoe takes a microsecond."""
import array
import contextlib
import errno
import json
import mmap
import os
import random
import resource
import select
import socket
import struct
import subprocess
import time

from lib import DEV, SERVER, Testbed, alive, build, counter, flows, start_server, test_main, wait_for

PORT = 7100
ATTACH, CTX, CTX_FREE, LISTEN, UNLISTEN, CONNECT, STATUS, FLOWS, STATS = range(1, 10)
NEW = 0xFFFFFFFF
REQ, ANS = struct.Struct("<6I16s16sQHHI"), struct.Struct("<iIIIQQIIIII16sHHI4x")

LINE = 64  # a doorbell's head is on one line, its tail on the next
AT = {}  # the ABI's version, and where things lie in an arena: tests/harness/layout.c



class Process:
    """A process attached to toed, as far as toed can tell: a connection of its own."""

    def __init__(self, bed, app=NEW, proc=NEW, token=0, attach=True):
        AT or AT.update(json.loads(subprocess.check_output([build("tests/harness/layout")])))  # pylint: disable=W0106
        self.bed = bed
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.settimeout(10)
        with bed.server._inside():  # pylint: disable=protected-access
            self.s.connect(bed.env["TOE_SOCKET"])
            if attach:
                self.a, fds = self.ask(ATTACH, app=app, proc=proc, token=token)
                assert self.a["error"] == 0, self.a
        if attach:
            self.app, self.proc, self.token = self.a["app"], self.a["proc"], self.a["token"]
            self.mem = mmap.mmap(fds[0], AT["flow"] + 65536 * AT["flow_size"])
            self.event = fds[1]
            for fd in fds[:1] + fds[2:]:
                os.close(fd)

    @staticmethod
    def req(kind, version=None, app=0, proc=0, token=0, addr=b"", port=0, **kw):
        version = AT["version"] if version is None else version
        return REQ.pack(kind, version, app, proc, kw.get("ctx", 0), kw.get("listener", 0), addr, kw.get("laddr", b""),
                        token, socket.htons(port), 0, 0)

    def answer(self):
        data, fds, _, _ = socket.recv_fds(self.s, 256, 16)
        if not data:
            raise ConnectionResetError("toed hung up")
        v = ANS.unpack(data)
        names = "error flags app proc token size nfpcs ctx listener grant fpc laddr lport pad ifindex".split()
        return dict(zip(names, v)), fds

    def ask(self, kind, fds=(), **kw):
        socket.send_fds(self.s, [self.req(kind, **kw)], list(fds)) if fds else self.s.send(self.req(kind, **kw))
        return self.answer()

    def u64(self, off, value=None):
        if value is None:
            return struct.unpack_from("<Q", self.mem, off)[0]
        return struct.pack_into("<Q", self.mem, off, value)

    def u32(self, off, value=None):
        if value is None:
            return struct.unpack_from("<I", self.mem, off)[0]
        return struct.pack_into("<I", self.mem, off, value)

    def context(self):
        a, fds = self.ask(CTX)
        assert a["error"] == 0, a
        self.ctx = a["ctx"]
        self.ctx_event = fds[0]

    def command(self, kind, flow, pos, gen=0):
        ring = AT["ctx"] + self.ctx * AT["ctx_size"] + AT["sw_ring"]
        head = self.u32(ring)
        struct.pack_into("<BBHIQ", self.mem, ring + AT["sw_cmd"] + head % 1024 * 16, kind, 0, gen, flow, pos)
        self.u32(ring, head + 1)
        os.write(self.event, b"\1" + bytes(7))

    def listen(self, port, reuse=False, addr="0.0.0.0"):
        """A kernel socket that listens, and toed's answer; the firmware takes SYNs from then on."""
        k = self.bed.server.socket()
        k.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse:
            k.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        k.bind((addr, port))
        k.listen(64)
        a, _ = self.ask(LISTEN, fds=[k.fileno()])
        if a["error"] == 0 and not a["flags"]:
            self.command(1, a["listener"], 64)
            ring = AT["ctx"] + self.ctx * AT["ctx_size"] + AT["sw_ring"]
            wait_for("backlog at the FPC", lambda: self.u32(ring) == self.u32(ring + LINE), 5, 0.001)
        return k, a

    def queue(self, listener):
        """The listener's accept queue: flow ids and generations that nobody has claimed."""
        base = AT["listener"] + listener * AT["listener_size"] + AT["accept_ring"]
        head, tail = self.u32(base), self.u32(base + LINE)
        e = [self.u64(base + AT["accept_entry"] + i % 4096 * 8) for i in range(tail, head)]
        return [(v & 0xFFFFFFFF, v >> 32 & 0xFFFF) for v in e if v]

    def claim(self, listener):
        """The oldest entry, as accept does in its first step: a flow id."""
        base = AT["listener"] + listener * AT["listener_size"] + AT["accept_ring"]
        tail = self.u32(base + LINE)
        off = base + AT["accept_entry"] + tail % 4096 * 8
        flow = self.u64(off) & 0xFFFFFFFF
        self.u64(off, 0)
        self.u32(base + LINE, tail + 1)
        return flow

    def hold(self, flow):
        """The second step."""
        self.u64(AT["flow"] + flow * AT["flow_size"] + AT["holders"], 1 << self.proc)

    def die(self):
        self.s.close()


def announced_child(c):
    """A parent announces a child's slot and dies before the child is attached: the slot is free again."""
    with Testbed("adm") as bed:
        bed.start_toed()
        a = Process(bed)
        b = Process(bed, a.app, 1, a.token)
        a.u64(AT["procs"], a.u64(AT["procs"]) | 1 << 7)
        b.die()
        time.sleep(2)
        c.check(a.u64(AT["procs"]) == 1 << 7 | 1, f"the child has some time: {a.u64(AT['procs']):#x}")
        wait_for("end of the slot", lambda: a.u64(AT["procs"]) == 1, 6)
        c.check(True, "then its slot is free")
        a.u64(AT["procs"], 1 | 1 << 7)
        d = Process(bed, a.app, 7, a.token)
        c.check(d.proc == 7, "and may be taken")
        time.sleep(5.5)
        c.check(a.u64(AT["procs"]) == 1 << 7 | 1, "an attached one keeps it")


def claimed_and_died(c):
    """accept's two steps: who dies between them leaves nothing; who lives and is slow keeps its connection."""
    with Testbed("adm") as bed:
        bed.start_toed()
        a = Process(bed)
        a.context()
        _k, ans = a.listen(PORT)
        b = Process(bed, a.app, 1, a.token)
        one, two, three = (bed.client.connect(PORT) for _ in range(3))
        wait_for("three connections", lambda: len(a.queue(0)) == 3, 5)
        b.claim(ans["listener"])
        slow = a.claim(ans["listener"])
        b.die()
        time.sleep(0.3)
        a.hold(slow)
        one.settimeout(4)
        try:
            told = one.recv(1) == b""
        except ConnectionResetError:
            told = True
        except OSError:
            told = False
        c.check(told, "the lost connection was reset")
        time.sleep(1.5)
        c.check(len(flows(bed)) == 2 and len(a.queue(0)) == 1, f"the slow process' one and the queued one live: {len(flows(bed))}")
        for s in (one, two, three):
            s.close()


def never_told(c):
    """A process dies before it has read that its connection exists; another of the application lives on."""
    with Testbed("adm") as bed:
        bed.start_toed()
        k = bed.client.socket()
        k.bind(("192.0.2.2", PORT))
        k.listen(8)
        a = Process(bed)
        b = Process(bed, a.app, 1, a.token)
        b.context()
        peer = bytes(10) + b"\xff\xff" + socket.inet_aton("192.0.2.2")
        ans, _ = b.ask(CONNECT, addr=peer, port=PORT)
        b.command(2, ans["grant"], 1)
        s, _ = k.accept()
        c.check(len(flows(bed)) == 1, "connected")
        b.die()
        s.settimeout(4)
        try:
            told = s.recv(1) == b""
        except ConnectionResetError:
            told = True
        except OSError:
            told = False
        c.check(told and not flows(bed), "reset with the process that asked for it")
        a.die()


def reuse_port(c):
    """Two listeners at one place: the first has it, the second takes over; the kernel's socket answers in between."""
    with Testbed("adm") as bed:
        bed.start_toed()
        a, b = Process(bed), Process(bed)
        a.context()
        b.context()
        ka, first = a.listen(PORT, reuse=True)
        kb, second = b.listen(PORT, reuse=True)
        c.check(first["error"] == 0 and second["error"] == 0, f"both may listen: {second['error']}")
        one = bed.client.connect(PORT)
        wait_for("connection", lambda: len(a.queue(0)) == 1, 5)
        c.check(len(b.queue(0)) == 0, "the first one serves")
        ka.close()
        a.die()
        time.sleep(0.3)
        two = bed.client.connect(PORT)
        wait_for("connection at the second", lambda: len(b.queue(0)) == 1, 5)
        c.check(True, "the second one has taken over")
        for s in (one, two, kb):
            s.close()


def late_address(c):
    """A wildcard listener from before the device had an address; addresses come and go."""
    with Testbed("adm") as bed:
        bed.server.run("ip", "addr", "flush", "dev", "toe0", check=True)
        bed.start_toed()
        start_server(bed, PORT)
        bed.server.run("ip", "addr", "add", f"{SERVER}/24", "dev", "toe0", check=True)
        n = counter(bed, "passive_opens")
        c.check(alive(bed, PORT) and counter(bed, "passive_opens") == n + 1, "served by the TOE at an address that came later")
        for _ in range(20):
            bed.server.run("ip", "addr", "add", "192.0.2.99/24", "dev", "toe0", check=True)
            with bed.client.connect(PORT, "192.0.2.99") as s:
                s.sendall(b"E\nx")
                ok = s.recv(1) == b"x"
            bed.server.run("ip", "addr", "del", "192.0.2.99/24", "dev", "toe0", check=True)
        c.check(ok, "an address that comes and goes 20 times")
        wait_for("one endpoint", lambda: bed.status()["endpoints"]["closing"] == 0, 90)


def noise(bed, rng):
    """One client that breaks the rules in some way."""
    p = Process(bed, attach=False)
    what = rng.randrange(9)
    junk = rng.randbytes(rng.randrange(1, 300))
    spare = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
    with contextlib.suppress(OSError):
        if what == 0:
            p.s.send(junk)
        elif what == 1:
            p.s.send(p.req(rng.choice([ATTACH, STATUS, LISTEN]), version=rng.choice([AT["version"] - 1, rng.randrange(AT["version"] + 1, 99)])))
        elif what == 2:
            p.s.send(p.req(ATTACH)[:rng.randrange(REQ.size)])
        elif what == 3:
            socket.send_fds(p.s, [p.req(STATUS)], spare)
            p.answer()
        elif what == 4:
            p.s.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", spare[:1]))])
        elif what == 5:
            for _ in range(200):
                p.s.send(p.req(STATUS))
        elif what == 6:
            p.s.send(p.req(rng.randrange(0, 99), app=rng.randrange(99), proc=rng.randrange(99), token=1))
            p.answer()
        elif what == 7:
            p.s.send(p.req(ATTACH, app=rng.choice([0, 1, 31, 32, 1 << 31]), proc=rng.randrange(99), token=rng.getrandbits(64)))
            p.answer()
        else:
            with bed.server._inside():  # pylint: disable=protected-access
                p.ask(ATTACH, app=NEW)
            kind = rng.choice([socket.SOCK_STREAM, socket.SOCK_DGRAM])
            with bed.server.socket(kind=kind) as u:
                p.ask(rng.choice([LISTEN, UNLISTEN, CTX_FREE, CONNECT]), fds=[u.fileno()], listener=rng.getrandbits(32),
                      ctx=rng.getrandbits(32), addr=rng.randbytes(16), port=rng.randrange(65536))
    p.s.close()
    for fd in spare:
        os.close(fd)


def older_libtoe(c):
    """An application built for another version goes on with the kernel's TCP; toed says why."""
    with Testbed("adm") as bed:
        bed.start_toed()
        p = Process(bed, attach=False)
        a, _ = p.ask(ATTACH, app=NEW, version=AT["version"] - 1)
        c.check(a["error"] == errno.EPROTO, f"it is refused: {a['error']}")
        line = f"process {os.getpid()} refused: it was built for version {AT['version'] - 1}"
        c.check(line in bed.log("toed.log"), "and toed says so")


def descriptors(bed):
    """toed's, without the one of a caller who has just hung up: the least of some looks."""
    looks = []
    for _ in range(10):
        looks.append(len(os.listdir(f"/proc/{bed.toed.pid}/fd")))
        time.sleep(0.02)
    return min(looks)


def rss(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * 4096


def garbage(c):
    """Noise on the socket: toed goes on, and keeps neither descriptors nor memory of it."""
    rng = random.Random(99)
    with Testbed("adm") as bed:
        bed.start_toed()
        start_server(bed, PORT)
        before = descriptors(bed)
        for i in range(2000):
            noise(bed, rng)
            if i == 200:
                small = rss(bed.toed.pid)
        wait_for("end of all applications but one", lambda: len(bed.status()["apps"]) == 1, 10)
        time.sleep(0.5)
        c.check(descriptors(bed) == before, f"descriptors: {before} before, {descriptors(bed)} after")
        grown = rss(bed.toed.pid) - small
        c.check(grown < 4 << 20, f"memory grew by {grown} bytes")
        c.check(alive(bed, PORT), "the server did not notice")


def many_applications(c):
    """Attach and leave, 300 times: arenas, contexts and listeners are given back; the table's end is said."""
    with Testbed("adm") as bed:
        bed.start_toed()
        fw = bed.firmware_pid()

        def cycle(n):
            for i in range(n):
                p = Process(bed)
                p.context()
                k, _ans = p.listen(PORT + i)
                s = bed.client.connect(PORT + i)
                p.die()
                k.close()
                p.mem.close()
                os.close(p.event)
                os.close(p.ctx_event)
                s.close()
        cycle(20)
        wait_for("end of all", lambda: not bed.status()["apps"] and not bed.status()["endpoints"]["closing"], 15)
        t0, f0, fds = rss(bed.toed.pid), rss(fw), descriptors(bed)
        fwfds = len(os.listdir(f"/proc/{fw}/fd"))
        cycle(300)
        wait_for("end of all", lambda: not bed.status()["apps"] and not bed.status()["endpoints"]["closing"], 90)
        t1, f1 = rss(bed.toed.pid) - t0, rss(fw) - f0
        c.check(descriptors(bed) == fds and len(os.listdir(f"/proc/{fw}/fd")) == fwfds,
                f"descriptors {fds} and {fwfds}: {descriptors(bed)}, {len(os.listdir(f'/proc/{fw}/fd'))}")
        c.check(t1 < 4 << 20 and f1 < 16 << 20, f"toed grew by {t1}, toe-fw by {f1} bytes")
        c.check(bed.firmware_pid() == fw and bed.status()["memory"]["arenas"] == 0, "no arena is left")
        ps = []
        with contextlib.suppress(AssertionError):
            for _ in range(40):
                ps.append(Process(bed))
        c.check(len(ps) == 32, f"{len(ps)} applications at once, then EUSERS")
        for p in ps:
            p.die()
        wait_for("end of all", lambda: not bed.status()["apps"], 15)
        c.check(alive_toed(bed), "and again")


def alive_toed(bed):
    p = Process(bed)
    p.die()
    return p.proc == 0


def full_tables(c):
    """Contexts, listeners, grants and next hops run out: an error, or the kernel's path, and all come back."""
    with Testbed("adm") as bed:
        bed.start_toed()
        p = Process(bed)
        p.context()
        n = sum(p.ask(CTX)[0]["error"] == 0 for _ in range(70))
        c.check(n == 63, f"{n} more contexts, then an error")
        ks = [p.listen(PORT + i) for i in range(70)]
        good = sum(a["error"] == 0 for _, a in ks)
        c.check(good == 64, f"{good} listeners, then an error")
        codes = {}
        for i in range(1100):
            peer = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 3 + i % 250])
            a, _ = p.ask(CONNECT, addr=peer, port=1000 + i)
            codes[(a["error"], a["flags"])] = codes.get((a["error"], a["flags"]), 0) + 1
        c.check(codes == {(0, 0): 1024, (0, 1): 76}, f"1024 grants, the rest for the kernel: {codes}")
        p.die()
        for k, _ in ks:
            k.close()
        wait_for("end of the application", lambda: not bed.status()["apps"], 15)
        p = Process(bed)
        p.context()
        a, _ = p.ask(CONNECT, addr=peer, port=1)
        c.check(a["error"] == 0 and a["flags"] == 0, "grants are free again")
        c.check(p.listen(PORT + 100)[1]["error"] == 0, "and listeners")
        bed.server.run("ip", "route", "add", "10.0.0.0/8", "via", "192.0.2.2", check=True)
        flags = 0
        for i in range(3000):
            peer = bytes(10) + b"\xff\xff" + bytes([10, 0, i // 250, i % 250])
            a, _ = p.ask(CONNECT, addr=peer, port=1)
            flags += a["flags"]
            p.command(2, a["grant"], i) if not a["flags"] else None
        c.check(flags > 0, f"3000 destinations: {flags} for the kernel")


def many_processes(c):
    """As many processes as the limits allow, and toectl is answered beside them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with Testbed("adm") as bed:
        bed.start_toed()
        ps = []
        for _ in range(17):
            ps.append(Process(bed))
            for _ in range(63):
                with contextlib.suppress(AssertionError, ConnectionError):  # refused, or hung up on
                    ps.append(Process(bed, app=ps[-1].app, token=ps[-1].token))
        c.check(len(ps) == 17 * 64, f"17 applications with 64 processes each: {len(ps)}")
        n = len((bed.status() or {"apps": []})["apps"])
        c.check(n == 17, f"toectl knows of {n} applications")
        for p in ps:
            p.die()


def mapped(addr):
    return bytes(10) + b"\xff\xff" + socket.inet_aton(addr)


def source_routing(c):
    """Rules that look at the source: connections to one destination go by different routers, and stay with theirs."""
    with Testbed("admission") as bed:
        bed.start_toed()

        def ip(*words):
            bed.server.run("ip", *words, check=True)

        def routers():
            out = bed.server.run("ip", "neigh", "show", "dev", DEV).stdout.splitlines()
            return {int(x.split()[0].rsplit(".", 1)[1]) for x in out if "managed" in x}
        ip("addr", "add", "192.0.2.9/24", "dev", DEV)
        for net in "198.51.100.0/24", "203.0.113.0/24":
            ip("route", "add", net, "via", "192.0.2.20")
            ip("route", "add", net, "via", "192.0.2.30", "table", "100")
        ip("rule", "add", "from", "192.0.2.9", "lookup", "100")
        p = Process(bed)
        p.context()

        def connect(to, laddr=b""):
            return p.ask(CONNECT, addr=mapped(to), port=1, laddr=laddr)[0]["flags"] == 0
        wait_for("the second address", lambda: connect("198.51.100.1", mapped("192.0.2.9")), 5)
        c.check(routers() == {30}, f"from one address: {routers()}")
        c.check(connect("198.51.100.1") and routers() == {20, 30}, f"from the other: {routers()}")
        ip("route", "add", "203.0.113.128/25", "via", "192.0.2.20")
        time.sleep(0.2)
        c.check(routers() == {20, 30}, f"another route changes nothing: {routers()}")
        ip("route", "replace", "198.51.100.0/24", "via", "192.0.2.40", "table", "100")
        wait_for("the new router", lambda: routers() == {20, 40}, 5)
        ip("rule", "add", "from", SERVER, "lookup", "100")
        c.check(connect("203.0.113.1") and routers() >= {30}, f"the rule for the address that is chosen: {routers()}")


test_main("e2e admission", announced_child, claimed_and_died, never_told, reuse_port, late_address, older_libtoe, garbage,
          many_applications, full_tables, source_routing,
          many_processes)
