#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Kernel TCP and the TOE alternately, in one go; medians, ratios and their spread; build/bench.json.

    bench.py [-n ROUNDS] [-s SECONDS] [WHAT...]      WHAT: echo64 echo1 nginx fw
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

from measure import LINUX, TOE, metered, start_nginx, stop, workers_of, wrk
from testbed import BUILD, CLIENT_CPU, SERVER, SERVER_CPUS, Testbed, Trouble, build, need_root, on_signals, wait_for

PORT = 7000
WARMUP = 1


def start_echo(bed, stack):
    p = bed.server.popen(build(f"userspace/bench/echo_{stack}"), PORT, log="echo.log", cpus=[SERVER_CPUS[0]],
                         env=None if stack == TOE else bed.no_toe())

    def up():
        if p.poll() is not None:
            raise Trouble("echo ended: " + bed.log("echo.log").strip()[-200:])
        try:
            bed.client.connect(PORT).close()
        except OSError:
            return False
        return True
    wait_for("echo server", up)
    return p


def echo_load(bed, connections, seconds):
    """64-byte requests, one at a time on each connection: {"requests", "rps", "p50", "p99", "errors"}, times in us."""
    out = bed.client.run(build("userspace/bench/echo_load_linux"), "-j", SERVER, PORT, connections, seconds, 64,
                         cpus=[CLIENT_CPU], timeout=seconds + 30).stdout
    try:
        return json.loads(out)
    except ValueError as e:
        raise Trouble("echo_load: " + out.strip()[-200:]) from e


def one(kind, connections, stack, seconds):
    """One measurement in a testbed of its own."""
    with Testbed("bench") as bed:
        if stack == TOE:
            bed.start_toed("--congestion", "reno")
        if kind == "nginx":
            server, load = start_nginx(bed, 1, stack, cpus=[SERVER_CPUS[0]]), wrk
        else:
            server, load = start_echo(bed, stack), echo_load
        load(bed, connections, WARMUP)
        r = metered(bed, workers_of(server), stack, lambda: load(bed, connections, seconds))
        stop(bed, server)
        for k in ("app_raw", "app", "fw", "kernel", "server"):
            r[k + "_us"] = r["cpu"][k] * 1e6 / r["requests"]
        return r


def pairs(kind, connections, rounds, seconds, label):
    """Alternate the stacks; the first of a pair changes each round, so a slow phase hits both alike."""
    got = {LINUX: [], TOE: []}
    for i in range(rounds):
        for stack in (LINUX, TOE) if i % 2 == 0 else (TOE, LINUX):
            r = one(kind, connections, stack, seconds)
            got[stack].append(r)
            idle = ", ".join(f"CPU {c} {share:.0%}" for c, share in r["cpu"]["idle"].items())
            print(f"  {label} {i + 1}/{rounds} {stack:5} {r['rps']:9,.0f}/s  p50 {r['p50']:6.1f}  p99 {r['p99']:7.1f} us  "
                  f"CPU us/request: app {r['app_raw_us']:.2f}, whole {r['server_us']:.2f} (app {r['app_us']:.2f}, firmware "
                  f"{r['fw_us']:.2f}, kernel {r['kernel_us']:.2f})  idle {idle}  errors {r.get('errors', 0):.0f}", flush=True)
    return got


def row(name, unit, got, key, better):
    """Medians of both, and the ratio of each pair: `better` "low": Linux / TOE, "high": TOE / Linux. Spread: half of
    the range between the quartiles of the pairs' ratios."""
    linux, toe = [r[key] for r in got[LINUX]], [r[key] for r in got[TOE]]
    ratios = sorted(a / b if better == "low" else b / a for a, b in zip(linux, toe))
    quart = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    return {"name": name, "unit": unit, "linux": round(statistics.median(linux), 3),
            "toe": round(statistics.median(toe), 3), "ratio": round(statistics.median(ratios), 3),
            "spread": round((quart[2] - quart[0]) / 2, 3)}


def firmware_rows(rounds):
    """The simulator's benchmark: million 128-byte segments/s on one core, no kernel."""
    values = []
    for i in range(rounds):
        out = subprocess.run([build("tests/sim/sim_bench")], capture_output=True, text=True, timeout=120, check=True).stdout
        m = re.search(r"^fw_segments\s+([\d.]+)", out, re.M)
        if not m:
            raise Trouble("sim_bench: " + out.strip()[-200:])
        values.append(float(m[1]))
        print(f"  fw_segments {i + 1}/{rounds} {values[-1]:.2f} million segments/s", flush=True)
    q = statistics.quantiles(values, n=4)
    return [{"name": "fw_segments", "unit": "million segments/s", "linux": None, "toe": round(statistics.median(values), 3),
             "ratio": None, "spread": round((q[2] - q[0]) / 2, 3)}]


def measure(what, rounds, seconds):
    rows = []
    if "echo64" in what:
        got = pairs("echo", 64, rounds, seconds, "echo64")
        rows += [row("echo64_app_cpu", "us/request", got, "app_raw_us", "low"),
                 row("echo64_server_cpu", "us/request", got, "server_us", "low"),
                 row("echo64_rps", "requests/s", got, "rps", "high")]
    if "echo1" in what:
        rows += [row("echo64_p50", "us", pairs("echo", 1, rounds, seconds, "echo64 x1"), "p50", "low")]
    if "nginx" in what:
        got = pairs("nginx", 64, rounds, seconds, "nginx256")
        for r in got[LINUX]:
            r["app_no_softirq_us"] = r["app_us"]
        for r in got[TOE]:  # the worker itself does no softirq work to speak of: the firmware thread sends
            r["app_no_softirq_us"] = r["app_raw_us"]
        rows += [row("nginx256_app_cpu", "us/request", got, "app_raw_us", "low"),
                 row("nginx256_app_cpu_no_softirq", "us/request", got, "app_no_softirq_us", "low"),
                 row("nginx256_rps", "requests/s", got, "rps", "high")]
    if "fw" in what:
        rows += firmware_rows(max(rounds, 5))
    return rows


def table(rows):
    print(f"\n{'':30}{'Linux':>12}{'TOE':>12}  {'':20}{'ratio':>8}{'+-':>8}")
    for r in rows:
        linux, ratio = (f"{r[k]:,.2f}" if r[k] is not None else "-" for k in ("linux", "ratio"))
        print(f"{r['name']:30}{linux:>12}{r['toe']:>12,.2f}  {r['unit']:20}{ratio:>8}{r['spread']:8.2f}")


def main():
    ap = argparse.ArgumentParser(description="kernel TCP and the TOE alternately; table and build/bench.json")
    ap.add_argument("-n", "--rounds", type=int, default=5)
    ap.add_argument("-s", "--seconds", type=int, default=5, help="of each measurement")
    ap.add_argument("what", nargs="*", default=[], help="echo64 echo1 nginx fw (default: all)")
    arg = ap.parse_args()
    on_signals()
    need_root()
    start = time.monotonic()
    rows = measure(arg.what or ["echo64", "echo1", "nginx", "fw"], arg.rounds, arg.seconds)
    table(rows)
    out = os.path.join(BUILD, "bench.json")
    with open(out, "w", encoding="ascii") as f:
        json.dump(rows, f, indent=1)
    print(f"\n{out} written, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except Trouble as e:
        sys.exit(f"bench: {e}")
    except KeyboardInterrupt:
        sys.exit("bench: stopped; everything is taken down")
