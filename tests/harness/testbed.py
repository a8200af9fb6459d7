# SPDX-License-Identifier: BSD-2-Clause
"""Two network namespaces, a veth pair, toed and servers: the ground that tests, demo and benchmark stand on.

        client namespace                    server namespace
    192.0.2.2/24 [toe0] ------- veth ------- [toe0] 192.0.2.1/24
  2001:db8::2/64                                    2001:db8::1/64
      kernel TCP                              toed, toe-fw, applications

Everything that a Testbed starts or makes ends with its `with` block: on success, failure, Ctrl-C and SIGTERM.
Processes are ended by their ids only, and die with us (PR_SET_PDEATHSIG) should we be killed outright.
"""
import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("TOE_BUILD", os.path.join(ROOT, "build"))
SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
SERVER6, CLIENT6 = "2001:db8::1", "2001:db8::2"
DEV = "toe0"
BPFFS = "/sys/fs/bpf"
# Client on the first CPU, the server's side on the others: its CPU time can be told apart.
CPUS = sorted(os.sched_getaffinity(0))
CLIENT_CPU, SERVER_CPUS = CPUS[0], CPUS[1:] or CPUS

_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
CLONE_NEWNS, MS_PRIVATE = 0x20000, 1 << 18


class Trouble(Exception):
    """Something that the person at the keyboard can act on: shown as one line."""


def build(path):
    """The built file of that name, or Trouble."""
    full = os.path.join(BUILD, path)
    if not os.path.exists(full):
        raise Trouble(f"{full} is missing: run `make`")
    return full


def need_root():
    """One line that says what is missing: root, tools, or kernel support."""
    if os.geteuid() != 0:
        raise Trouble("this needs root (network namespaces, XDP): run it as root")
    for tool in ("ip", "nsenter", "ethtool", "bpftool"):
        if not shutil.which(tool):
            raise Trouble(f"{tool} is missing: run `make deps` as root")
    try:
        socket.socket(44, socket.SOCK_RAW).close()  # AF_XDP
    except OSError as e:
        raise Trouble("this kernel has no AF_XDP sockets: it needs CONFIG_XDP_SOCKETS=y") from e
    own_bpffs()


def own_bpffs():
    """A bpffs of our own, seen by us and what we start: we never meet the pins of a toed that runs here already."""
    def call(what, *args):
        if what(*args):
            raise Trouble(f"no mount namespace: {os.strerror(ctypes.get_errno())}; it needs CAP_SYS_ADMIN")
    call(_libc.unshare, CLONE_NEWNS)
    # Only this corner is private: the network namespaces must stay visible to others, for people who look on.
    call(_libc.mount, None, (BPFFS if os.path.ismount(BPFFS) else "/sys").encode(), None, MS_PRIVATE, None)
    call(_libc.mount, b"bpf", BPFFS.encode(), b"bpf", 0, None)


def on_signals():
    """SIGTERM and SIGHUP unwind the stack as Ctrl-C does."""
    def leave(sig, _frame):
        sys.exit(128 + sig)
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, leave)


def wait_for(what, cond, seconds=10.0, step=0.02):
    """Poll until cond() is true and return its value; Trouble after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        v = cond()
        if v:
            return v
        if time.monotonic() > end:
            raise Trouble(f"no {what} after {seconds:g} s")
        time.sleep(step)


def thread_ns(pid):
    """CPU time of every living thread of a process, ns: {(pid, tid, name): ns}."""
    t = {}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for tid in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/task/{tid}/schedstat") as f:
                    ns = int(f.read().split()[0])
                with open(f"/proc/{pid}/task/{tid}/comm") as f:
                    t[(pid, int(tid), f.read().strip())] = ns
    return t


def cpu_stat():
    """/proc/stat: {cpu: {"softirq": s, "idle": s, "total": s}}, seconds."""
    hz, out = os.sysconf("SC_CLK_TCK"), {}
    with open("/proc/stat") as f:
        for line in f:
            m = re.match(r"cpu(\d+) (.*)", line)
            if m:
                v = [int(x) / hz for x in m[2].split()[:8]]
                out[int(m[1])] = {"softirq": v[6], "idle": v[3] + v[4], "total": sum(v)}
    return out


def children(pid):
    """Process ids of all descendants."""
    out = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for tid in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/task/{tid}/children") as f:
                    for c in map(int, f.read().split()):
                        out += [c] + children(c)
    return out


class Side:
    """One network namespace of a testbed, and how to run programs in it."""

    def __init__(self, bed, name):
        self.bed, self.name, self.net = bed, name, f"/run/netns/{name}"

    def argv(self, cmd):
        # Not `ip netns exec`: it mounts a fresh /sys, which hides bpffs.
        return ["nsenter", f"--net={self.net}", "--"] + [str(c) for c in cmd]

    def popen(self, *cmd, cpus=None, env=None, log=None, **kw):
        """Start a program here; it ends with the testbed. `log`: name of its output file."""
        def child():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
            if cpus:
                os.sched_setaffinity(0, cpus)
        if log:
            kw["stdout"] = kw["stderr"] = open(os.path.join(self.bed.dir, log), "ab")
        p = subprocess.Popen(self.argv(cmd), stdin=subprocess.DEVNULL, preexec_fn=child,
                             env={**os.environ, **self.bed.env, **(env or {})}, start_new_session=True, **kw)
        if log:
            kw["stdout"].close()
        self.bed.procs.append(p)
        return p

    def run(self, *cmd, timeout=60, check=False, **kw):
        """Run a program here to its end: CompletedProcess with text output; a timeout is status 124."""
        p = self.popen(*cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kw)
        try:
            out = p.communicate(timeout=timeout)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            p.kill()
            out = p.communicate()[0].decode(errors="replace")
            p.returncode = 124
        self.bed.procs.remove(p)
        if check and p.returncode:
            raise Trouble(f"`{' '.join(map(str, cmd))}`: {out.strip().splitlines()[-1:] or p.returncode}")
        return subprocess.CompletedProcess(cmd, p.returncode, out)

    @contextlib.contextmanager
    def _inside(self):
        """This thread in the namespace, for a moment."""
        with open("/proc/thread-self/ns/net") as home, open(self.net) as there:
            if _libc.setns(there.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                _libc.setns(home.fileno(), 0)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        """A kernel socket that lives in this namespace."""
        with self._inside():
            s = socket.socket(family, kind)
        s.settimeout(20)
        return s

    def connect(self, port, addr=SERVER):
        s = self.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
        s.connect((addr, port))
        return s


class Testbed:
    """The two namespaces. `middle=True` joins them through a third one, in which a forwarder may run."""

    def __init__(self, name, middle=False):
        tag = f"toe-{name}-{os.getpid()}"
        self.dir = tempfile.mkdtemp(prefix=tag + ".", dir="/tmp")
        self.env = {"TOE_SOCKET": os.path.join(self.dir, "toed.sock")}
        self.procs = []
        self.server, self.client = Side(self, tag + "-s"), Side(self, tag + "-c")
        self.middle = Side(self, tag + "-m") if middle else None
        self.toed = self.wire = None

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def _ip(*cmd):
        p = subprocess.run(["ip", *cmd], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if p.returncode:
            raise Trouble(f"ip {' '.join(cmd)}: {p.stderr.strip()}")

    def _make(self):
        sides = [s for s in (self.server, self.client, self.middle) if s]
        for s in sides:
            self._ip("netns", "add", s.name)
            self._ip("-n", s.name, "link", "set", "lo", "up")
        if self.middle:
            self._veth(self.server, DEV, self.middle, "srv0")
            self._veth(self.client, DEV, self.middle, "cli0")
            self.set(self.middle, "net.ipv6.conf.all.disable_ipv6", "1")  # it adds nothing of its own to the wire
        else:
            self._veth(self.server, DEV, self.client, DEV)
        for s, addr, addr6 in ((self.server, SERVER, SERVER6), (self.client, CLIENT, CLIENT6)):
            self._ip("-n", s.name, "addr", "add", f"{addr}/24", "dev", DEV)
            self._ip("-n", s.name, "addr", "add", f"{addr6}/64", "dev", DEV, "nodad")
            # Not what this kernel defaults to: compare like with like.
            self.set(s, "net.ipv4.tcp_congestion_control", "reno")
            self.set(s, "net.ipv4.ip_local_port_range", "10240 60999")

    def _veth(self, a, adev, b, bdev):
        self._ip("link", "add", adev, "netns", a.name, "type", "veth", "peer", "name", bdev, "netns", b.name)
        for s, d in ((a, adev), (b, bdev)):
            # No waiting for a duplicate: link-local addresses are there at once.
            self.set(s, f"net.ipv6.conf.{d}.accept_dad", "0")
            self._ip("-n", s.name, "link", "set", d, "up")

    @staticmethod
    def set(side, name, value):
        side.run("sh", "-c", f"echo '{value}' > /proc/sys/{name.replace('.', '/')}", check=True)

    # toed

    def start_toed(self, *args, wait=True):
        """toed on the server's device, its FPC pinned to the server's first CPU."""
        build("toe-fw"), build("toe_xdp.bpf.o")  # toed takes them from beside itself
        argv = [build("toed"), "--dev", DEV, "--socket", self.env["TOE_SOCKET"], "--cpus", str(SERVER_CPUS[0]), *args]
        self.toed = self.server.popen(*argv, log="toed.log")
        if wait:
            def up():
                if self.toed.poll() is not None:
                    raise Trouble("toed ended: " + (self.log("toed.log").strip().splitlines() or ["no word"])[-1])
                return (self.status() or {"firmware": {}})["firmware"].get("running")
            wait_for("running firmware", up)
        return self.toed

    def stop_toed(self, timeout=10):
        """SIGTERM; its exit status, or None if it had to be killed."""
        if not self.toed:
            return None
        self.toed.terminate()
        try:
            return self.toed.wait(timeout)
        except subprocess.TimeoutExpired:
            self._kill(self.toed)
            return None
        finally:
            self.procs.remove(self.toed)
            self.toed = None

    def toectl(self, *args):
        """A toectl subcommand with -j: the parsed answer, or None."""
        p = self.server.run(build("toectl"), "--socket", self.env["TOE_SOCKET"], *args, "-j", timeout=10)
        try:
            return json.loads(p.stdout) if p.returncode == 0 else None
        except ValueError:
            return None

    def status(self):
        return self.toectl("status")

    def firmware_pid(self):
        """Process id of the running toe-fw, None while there is none."""
        for pid in children(self.toed.pid):
            with contextlib.suppress(OSError):
                with open(f"/proc/{pid}/comm") as f:
                    if f.read().strip() == "toe-fw":
                        return pid
        return None

    def log(self, name):
        with contextlib.suppress(FileNotFoundError):
            with open(os.path.join(self.dir, name), errors="replace") as f:
                return f.read()
        return ""

    def no_toe(self):
        """Environment of a program that shall find no toed: the kernel's TCP."""
        return {"TOE_SOCKET": os.path.join(self.dir, "none.sock")}

    # The wire

    def start_wire(self, *options):
        """harness/forwarder.c in the middle, "forth" from the server's side; the ends send frames as a wire has them."""
        for side in (self.server, self.client):
            side.run("ethtool", "-K", DEV, "tx", "off", "tso", "off", check=True)
        p = self.middle.popen(build("tests/harness/forwarder"), *options, "srv0", "cli0", log="wire.log")

        def ready():
            if p.poll() is not None:
                raise Trouble("forwarder ended: " + self.log("wire.log").strip()[-200:])
            return "ready" in self.log("wire.log")
        wait_for("wire", ready)
        self.wire = p

    def stop_wire(self):
        """What it did each way: {"forth": {...}, "back": {...}}."""
        self.wire.terminate()
        self.wire.wait(5)
        self.procs.remove(self.wire)
        self.wire = None
        return json.loads(self.log("wire.log").strip().splitlines()[-1])

    # The end

    @staticmethod
    def _kill(p):
        for pid in children(p.pid) + [p.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            p.wait(5)

    def close(self):
        """Take everything down; a second Ctrl-C does not cut it short."""
        old = {}
        if threading.current_thread() is threading.main_thread():
            old = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            for p in reversed(self.procs):
                if p is not self.toed and p.poll() is None:
                    p.terminate()
            end = time.monotonic() + 3
            for p in reversed(self.procs):
                if p is not self.toed:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        p.wait(max(0.1, end - time.monotonic()))
                    self._kill(p)
            self.stop_toed(5)
            self.procs.clear()
            for s in (self.server, self.client, self.middle):
                if s and os.path.exists(s.net):
                    subprocess.run(["ip", "netns", "del", s.name], check=False)
            if not os.environ.get("TOE_KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)
        finally:
            for s, h in old.items():
                signal.signal(s, h)


class Checks:
    """Counts and prints checks; the last line is what tests/harness/run adds up."""

    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0

    def check(self, ok, what):
        print(("ok   " if ok else "FAIL ") + what, flush=True)
        if ok:
            self.passed += 1
        else:
            self.failed += 1
        return bool(ok)

    def end(self):
        print(f"# {self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def test_main(name, *tests):
    """Run test functions (each gets the Checks), and exit. One that raises is a failed check, the others still run."""
    names = [t.__name__ for t in tests]
    wanted = sys.argv[1:] or names
    if set(wanted) - set(names):
        print(f"usage: {sys.argv[0]} [{' | '.join(names)}]...", file=sys.stderr)
        sys.exit(2)
    on_signals()
    c = Checks(name)
    try:
        need_root()
        for t in tests:
            if t.__name__ not in wanted:
                continue
            start = time.monotonic()
            try:
                t(c)
            except (Trouble, OSError, ValueError, AssertionError, subprocess.SubprocessError) as e:
                c.check(False, f"{t.__name__}: {type(e).__name__}: {e}")
            print(f"     {t.__name__}: {time.monotonic() - start:.1f} s", flush=True)
    except Trouble as e:
        c.check(False, str(e))
    sys.exit(c.end())
