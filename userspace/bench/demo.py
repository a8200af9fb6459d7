#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""NGINX on Linux TCP and on the TOE, one after the other, in two network namespaces; one table at the end."""
import argparse
import subprocess
import sys
import time

from measure import LINUX, TOE, metered, start_nginx, stop, workers_of, wrk
from testbed import Testbed, Trouble, need_root, on_signals

SECONDS, WARMUP, CONNECTIONS = 10, 2, 64
NAMES = {LINUX: "Linux TCP", TOE: "TOE"}
START = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - START:5.1f} s] {text}", flush=True)


def show_flows(bed):
    """The first of the live flows, as bpftool shows them."""
    path = bed.status()["pins"] + "/toe_flows"
    p = subprocess.run(["bpftool", "map", "dump", "pinned", path], capture_output=True, text=True, check=False)
    say(f"bpftool map dump pinned {path}   (one of {p.stdout.count('remote')} flows)")
    for line in p.stdout.splitlines()[:18] or [p.stderr.strip()]:
        print("          " + line)


def measure(stack, workers):
    """One row of the table. Everything is made anew for each: nothing is left over from the other stack."""
    with Testbed("demo") as bed:
        if stack == TOE:
            bed.start_toed("--congestion", "reno")
        server = start_nginx(bed, workers, stack)
        say(f"{NAMES[stack]}, {workers} worker{'s' * (workers > 1)}: wrk, {CONNECTIONS} connections, {SECONDS} s")
        wrk(bed, CONNECTIONS, WARMUP)
        if stack == TOE and workers == 1:
            load = bed.client.popen("wrk", "-t1", f"-c{CONNECTIONS}", "-d3s", "http://192.0.2.1/256",
                                    stdout=subprocess.DEVNULL)
            time.sleep(1.5)
            show_flows(bed)
            load.wait()
        r = metered(bed, workers_of(server), stack, lambda: wrk(bed, CONNECTIONS, SECONDS))
        stop(bed, server)
        if stack == TOE and bed.stop_toed() != 0:
            say("toed did not end cleanly: " + bed.log("toed.log")[-200:])
        return r


def per_request(r, what):
    return r["cpu"][what] * 1e6 / r["requests"]


def table(rows):
    head = ("", "requests/s", "errors", "p50 us", "p99 us", "CPU us/request:", "application", "firmware", "kernel")
    width = (24, 12, 8, 9, 9, 17, 13, 10, 8)
    print()
    print("".join(h.rjust(w) if i else h.ljust(w) for i, (h, w) in enumerate(zip(head, width))))
    for workers in (1, 2):
        linux, toe = rows[LINUX, workers], rows[TOE, workers]
        for stack, r in ((LINUX, linux), (TOE, toe)):
            name = f"{NAMES[stack]}, {workers} worker{'s' * (workers > 1)}"
            print(f"{name:24}{r['rps']:12,.0f}{r['errors']:8}{r['p50']:9.0f}{r['p99']:9.0f}"
                  f"{per_request(r, 'server'):17.2f}{per_request(r, 'app'):13.2f}{per_request(r, 'fw'):10.2f}"
                  f"{per_request(r, 'kernel'):8.2f}")
        print(f"{'  TOE / Linux':24}{toe['rps'] / linux['rps']:11.2f}x{'':8}{toe['p50'] / linux['p50']:8.2f}x"
              f"{toe['p99'] / linux['p99']:8.2f}x{per_request(toe, 'server') / per_request(linux, 'server'):16.2f}x"
              f"{per_request(toe, 'app') / per_request(linux, 'app'):12.2f}x")
    print("\nSame NGINX binary and configuration, same congestion control (Reno). kernel: softirq work for the server\n"
          "on the client's CPU. userspace/bench/README.md says how CPU time is attributed; `make bench` repeats it.")


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    on_signals()
    need_root()
    say("two network namespaces, a veth pair, NGINX with a 256-byte file, wrk")
    rows = {(stack, workers): measure(stack, workers) for workers in (1, 2) for stack in (LINUX, TOE)}
    table(rows)


if __name__ == "__main__":
    try:
        main()
    except Trouble as e:
        sys.exit(f"demo: {e}")
    except KeyboardInterrupt:
        sys.exit("demo: stopped; everything is taken down")
