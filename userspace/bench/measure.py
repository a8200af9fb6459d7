# SPDX-License-Identifier: BSD-2-Clause
"""What demo and benchmark share: servers on either stack, loads, and where the CPU time went (see README.md)."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/harness"))
import testbed  # noqa: E402
from testbed import CLIENT_CPU, SERVER, SERVER_CPUS, Trouble, build, wait_for  # noqa: E402

LINUX, TOE = "linux", "toe"

NGINX_CONF = """\
daemon off;
user root;
worker_processes {workers};
pid {dir}/nginx.pid;
error_log {dir}/nginx.log;
worker_rlimit_nofile 16384;
worker_shutdown_timeout 10s;
events {{ worker_connections 8192; }}
http {{
	access_log off;
	sendfile {sendfile};
	tcp_nopush {sendfile};
	keepalive_requests 1000000000;
	keepalive_timeout 65;
	open_file_cache max=100 inactive=60s;
	client_body_temp_path {dir}/t1;
	proxy_temp_path {dir}/t2;
	fastcgi_temp_path {dir}/t3;
	uwsgi_temp_path {dir}/t4;
	scgi_temp_path {dir}/t5;
	default_type application/octet-stream;
	server {{ listen {listen} backlog=4096; root {dir}/www; }}
}}
"""


def start_nginx(bed, workers, stack=TOE, cpus=tuple(SERVER_CPUS), sendfile="off", listen="80", addr=SERVER):
    """NGINX in the server's namespace, serving www/256 (and what the caller puts beside it); waits until it answers."""
    www = os.path.join(bed.dir, "www")
    os.makedirs(www, exist_ok=True)
    os.chmod(bed.dir, 0o755)
    with open(os.path.join(www, "256"), "w", encoding="ascii") as f:
        f.write("0123456789abcde\n" * 16)
    conf = os.path.join(bed.dir, "nginx.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write(NGINX_CONF.format(dir=bed.dir, workers=workers, sendfile=sendfile, listen=listen))
    p = bed.server.popen(build("nginx/nginx"), "-c", conf, "-p", bed.dir, "-e", f"{bed.dir}/nginx.log", log="nginx.out",
                         cpus=cpus, env=bed.no_toe() if stack == LINUX else None)

    def answers():
        if p.poll() is not None:
            raise Trouble("NGINX ended: " + (bed.log("nginx.log") + bed.log("nginx.out")).strip()[-300:])
        return len(testbed.children(p.pid)) >= workers and fetch(bed, "/256", addr) is not None
    wait_for("answer from NGINX", answers)
    return p


def fetch(bed, path, addr=SERVER, port=80):
    """One HTTP request from the client's namespace: the body, or None."""
    try:
        with bed.client.connect(port, addr) as s:
            s.settimeout(5)
            s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            data = b""
            while chunk := s.recv(65536):
                data += chunk
    except OSError:
        return None
    head, _, body = data.partition(b"\r\n\r\n")
    return body if b" 200 " in head.split(b"\r\n")[0] else None


def stop(bed, p):
    """End a server and wait, so that its port and its CPU are free."""
    p.terminate()
    try:
        p.wait(5)
    finally:
        bed._kill(p)
        bed.procs.remove(p)


def _us(text):
    """wrk's times: 12.3us, 1.2ms, 1s -> microseconds."""
    m = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    return float(m[1]) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[m[2]]


def wrk(bed, connections, seconds):
    """Load on /256 from one thread: {"requests", "rps", "p50", "p99", "errors"}, times in us."""
    out = bed.client.run("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", f"http://{SERVER}/256",
                         cpus=[CLIENT_CPU], timeout=seconds + 30).stdout
    try:
        r = {"requests": int(re.search(r"(\d+) requests in", out)[1]),
             "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]),
             "p50": _us(re.search(r"\n\s+50%\s+(\S+)", out)[1]), "p99": _us(re.search(r"\n\s+99%\s+(\S+)", out)[1])}
    except TypeError as e:
        raise Trouble("wrk: " + out.strip()[-200:]) from e
    m = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    r["errors"] = sum(map(int, m.groups())) if m else 0
    r["errors"] += int(bad[1]) if bad else 0
    return r


class CpuMeter:
    """CPU time of the server's side between start and now, in seconds."""

    def __init__(self, app_pids, fw_pid):
        self.pids, self.fw = app_pids, fw_pid
        self.stat, self.app, self.fpc = testbed.cpu_stat(), self._app(), self._fw()
        self.t = time.monotonic()

    def _app(self):
        return sum(ns for p in self.pids for ns in testbed.thread_ns(p).values())

    def _fw(self):
        return sum(testbed.thread_ns(self.fw).values()) if self.fw else 0

    def read(self):
        """{"app_raw", "app", "fw", "kernel", "server", "idle": {cpu: share}}; README.md says what belongs where."""
        now = testbed.cpu_stat()

        def soft(cpus):
            return sum(now[c]["softirq"] - self.stat[c]["softirq"] for c in cpus)
        app, fw = (self._app() - self.app) / 1e9, (self._fw() - self.fpc) / 1e9
        # What ran as softirq on the server's CPUs is the client's receive path, charged to whoever was sending.
        foreign, kernel = soft(SERVER_CPUS), soft([CLIENT_CPU])
        r = {"app_raw": app, "fw_raw": fw, "kernel": kernel, "server": app + fw - foreign + kernel}
        r["app"], r["fw"] = (app, fw - foreign) if fw else (app - foreign, 0.0)
        r["idle"] = {c: (now[c]["idle"] - self.stat[c]["idle"]) / max(1e-9, now[c]["total"] - self.stat[c]["total"])
                     for c in [CLIENT_CPU] + SERVER_CPUS}
        return r


def counters(bed):
    """toectl's counters that moved, summed over FPCs and CPUs."""
    total = {}
    for c in bed.toectl("stats") or []:
        if c["value"]:
            total[c["name"]] = total.get(c["name"], 0) + c["value"]
    return total


def metered(bed, pids, stack, load):
    """Run `load()`, which connects; its result with "cpu": CPU seconds as CpuMeter.read. Trouble if that was not TOE's
    where it should be: a server built for another version uses the kernel."""
    before = counters(bed).get("passive_opens", 0) if stack == TOE else 0
    meter = CpuMeter(pids, bed.firmware_pid() if stack == TOE else None)
    r = load()
    r["cpu"] = meter.read()
    if stack == TOE and counters(bed).get("passive_opens", 0) == before:
        raise Trouble("the server's connections were not the TOE's: " + bed.log("toed.log").strip()[-300:])
    return r


def workers_of(p):
    """Process ids that do the work: the children of a master, or the process itself."""
    return testbed.children(p.pid) or [p.pid]
