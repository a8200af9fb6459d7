#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Goodput over a bad wire: TOE against Linux TCP with the same congestion control, and fairness between flows.

    goodput.py [--quick] [-n ROUNDS] [-j JOBS] [--harm 1 burst ...] [--rate 100 1000] [--rtt 1 20 100]
               [--cc reno cubic bbr dctcp] [--way send recv]
    goodput.py --fairness [-s SECONDS] [--cc ...]

        server namespace            middle                       client namespace
    stream_toe or stream_linux -- tests/harness/forwarder -- stream_linux (kernel TCP in every case)

A cell is a harm, a rate, a round-trip time, a congestion control and a way: `send`: TOE or Linux sends; `recv`: TOE or
Linux receives. The queue holds one bandwidth-delay product. Both stacks meet the same dice. Results: a table and
build/goodput.json.
"""
import argparse
import concurrent.futures
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import time

from measure import LINUX, TOE, counters
from testbed import BUILD, CLIENT, SERVER, Testbed, Trouble, build, need_root, on_signals, wait_for

PORT = 7000
FRAME = 1514
HARMS = ("0.01", "0.1", "1", "3", "5", "burst", "reorder")  # percent of loss, or a name
BURST = "0.1,5"  # 0.5 % of all packets, five at a time
RATES, RTTS, WAYS = (100, 1000), (1, 20, 100), ("send", "recv")
# The TOE's largest buffers have 16 MB; Linux counts overhead in, hence twice that for what it receives.
WMEM, RMEM = "4096 65536 16777216", "4096 131072 33554432"
TOE_BUFS = "--sndbuf-max", "16777216", "--rcvbuf-max", "16777216"


def linux_ccs():
    """Congestion controls that the kernel has and the TOE knows."""
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as f:
        here = f.read().split()
    return [cc for cc in ("reno", "cubic", "bbr", "dctcp") if cc in here]


def bdp(rate, rtt):
    """Bytes of Mbit/s times ms."""
    return int(rate * rtt * 125)


def wire_options(harm, rate, rtt, cc, seed):
    opts = ["--seed", seed, "--rate", rate, "--delay", rtt * 500, "--queue", max(bdp(rate, rtt), 2 * FRAME)]
    if harm == "reorder":
        # An eighth of the round trip, and at least three packets of the bottleneck.
        opts += ["--reorder", 5, "--late", max(rtt * 125, 3 * FRAME * 8 // rate)]
    elif harm == "burst":
        opts += ["--burst", BURST]
    elif harm != "none":
        opts += ["--loss", harm]
    if cc == "dctcp":
        opts += ["--ecn", max(bdp(rate, rtt) // 7, 3 * FRAME)]
    return opts


def prepare(bed, cc):
    for side in (bed.server, bed.client):
        bed.set(side, "net.ipv4.tcp_wmem", WMEM)
        bed.set(side, "net.ipv4.tcp_rmem", RMEM)
        if cc == "dctcp":
            bed.set(side, "net.ipv4.tcp_ecn", "1")


def start_receiver(bed, side, stack, seconds, flows):
    r = side.popen(build(f"userspace/bench/stream_{stack}"), "recv", PORT, seconds, flows, log="recv.log")

    def ready():
        if r.poll() is not None:
            raise Trouble("receiver ended: " + bed.log("recv.log").strip()[-200:])
        return "ready" in bed.log("recv.log")
    wait_for("receiver", ready)
    return r


def start_sender(side, to, stack, seconds, flows, cc):
    return side.popen(build(f"userspace/bench/stream_{stack}"), "send", to, PORT, seconds, flows, cc, log="send.log")


def result(bed, receiver, seconds):
    """{"seconds", "bytes"} as the receiver says when it is done."""
    try:
        receiver.wait(seconds + 30)
    except subprocess.TimeoutExpired as e:
        raise Trouble("the receiver does not end: " + bed.log("send.log").strip()[-200:]) from e
    try:
        return json.loads(bed.log("recv.log").strip().splitlines()[-1])
    except ValueError as e:
        raise Trouble("receiver: " + (bed.log("recv.log") + bed.log("send.log")).strip()[-200:]) from e


def wire_trouble(wire):
    """What the forwarder could not do, as text; empty if all was as ordered."""
    return ", ".join(f"{k} {w[k]}" for w in wire.values() for k in ("oversized", "unsent", "ring_lost") if w[k])


def one(cell, stack, seconds, seed):
    """One transfer: {"mbit", "wire", "toe"}; Trouble if it was not what it should be."""
    harm, rate, rtt, cc, way = cell
    with Testbed("goodput", middle=True) as bed:
        prepare(bed, cc)
        bed.start_wire(*wire_options(harm, rate, rtt, cc, seed))
        if stack == TOE:
            bed.start_toed(*TOE_BUFS)
        here, there, to = (bed.server, bed.client, CLIENT) if way == "send" else (bed.client, bed.server, SERVER)
        r = start_receiver(bed, there, stack if way == "recv" else LINUX, seconds, 1)
        start_sender(here, to, stack if way == "send" else LINUX, seconds + 20, 1, cc)
        got = result(bed, r, seconds)
        toe = counters(bed) if stack == TOE else {}
        if stack == TOE and not toe.get("active_opens", 0) + toe.get("passive_opens", 0):
            raise Trouble("not the TOE's connection " + bed.log("send.log").strip())
        wire = bed.stop_wire()
        return {"mbit": sum(got["bytes"]) * 8 / got["seconds"] / 1e6, "wire": wire, "toe": toe,
                "trouble": wire_trouble(wire)}


def seconds_of(cell, arg):
    """Over long round trips few packets leave in a second, and the few that are lost decide the figure."""
    return arg.seconds or (30 if cell[2] >= 100 else 5)


def light(cell):
    """Does it leave the machine to others? Slow links do, and losses that keep a flow slow (Mathis et al. 1997)."""
    harm, rate, rtt, cc, _ = cell
    lossy = harm[0].isdigit() and cc != "bbr"
    return rate <= 100 or lossy and 1.22 * FRAME * 8 / (rtt * 1000 * math.sqrt(float(harm) / 100)) <= 10


def label(cell):
    harm, rate, rtt, cc, way = cell
    return f"{harm + ('%' if harm[0].isdigit() else ''):8}{rate:5} Mbit/s {rtt:4} ms  {cc:6} {way}"


def run_cell(cell, arg):
    """All rounds of a cell; the stacks alternate."""
    got = {LINUX: [], TOE: []}
    try:
        for i in range(arg.rounds):
            for stack in (LINUX, TOE) if i % 2 == 0 else (TOE, LINUX):
                got[stack].append(one(cell, stack, seconds_of(cell, arg), arg.seed + i))
    except (Trouble, OSError) as e:
        return {"cell": cell, "error": str(e)}
    linux, toe = (statistics.median(r["mbit"] for r in got[s]) for s in (LINUX, TOE))
    return {"cell": cell, "linux": round(linux, 2), "toe": round(toe, 2), "ratio": round(toe / linux, 3) if linux else None,
            "trouble": "; ".join(r["trouble"] for s in got for r in got[s] if r["trouble"]), "runs": got}


def show(r, head=""):
    if "error" in r:
        text = f"{'':31}{r['error']}"
    else:
        text = f"{r['linux']:10.2f}{r['toe']:10.2f}  ratio {r['ratio'] or 0:6.3f}{' <' if (r['ratio'] or 0) < 0.95 else ''}"
        text += f"  ({r['trouble']})" if r["trouble"] else ""
    print(f"{head}{label(r['cell'])}{text}", flush=True)


def in_worker():
    on_signals()
    need_root()


def run_all(cells, arg):
    """Light cells share the machine, `jobs` at a time; others have it for themselves."""
    results, start = [], time.monotonic()

    def done(r):
        results.append(r)
        t = time.monotonic() - start
        show(r, f"[{len(results):3}/{len(cells)}, {t:5.0f} s] ")
    shared = [c for c in cells if light(c)]
    with concurrent.futures.ProcessPoolExecutor(arg.jobs, initializer=in_worker) as pool:
        for f in concurrent.futures.as_completed([pool.submit(run_cell, c, arg) for c in shared]):
            done(f.result())
    in_worker()
    for c in cells:
        if c not in shared:
            done(run_cell(c, arg))
    return sorted(results, key=lambda r: cells.index(tuple(r["cell"])))


def jain(values):
    return sum(values) ** 2 / (len(values) * sum(v * v for v in values)) if any(values) else 0


FAIR_RATE, FAIR_RTT, FAIR_FLOWS = 100, 20, 8


def fairness(cc, toe_flows, arg):
    """Jain's index of eight flows through one bottleneck, of which `toe_flows` are the TOE's and the others Linux's."""
    seconds = arg.seconds or 60
    with Testbed("fairness", middle=True) as bed:
        prepare(bed, cc)
        bed.start_wire(*wire_options("none", FAIR_RATE, FAIR_RTT, cc, arg.seed))
        if toe_flows:
            bed.start_toed(*TOE_BUFS)
        r = start_receiver(bed, bed.client, LINUX, seconds, FAIR_FLOWS)
        for stack, n in ((TOE, toe_flows), (LINUX, FAIR_FLOWS - toe_flows)):
            if n:
                start_sender(bed.server, CLIENT, stack, seconds + 20, n, cc)
            if n and stack == TOE:
                wait_for("connections of the TOE's", lambda: counters(bed).get("active_opens") == toe_flows)
        got = result(bed, r, seconds)
        mbit = [b * 8 / got["seconds"] / 1e6 for b in got["bytes"]]
        return {"cc": cc, "toe_flows": toe_flows, "mbit": [round(m, 2) for m in mbit], "jain": round(jain(mbit), 4),
                "trouble": wire_trouble(bed.stop_wire())}


def run_fairness(arg):
    in_worker()
    rows = []
    for cc, n in itertools.product(arg.cc, (0, FAIR_FLOWS, FAIR_FLOWS // 2)):
        try:
            r = fairness(cc, n, arg)
        except (Trouble, OSError) as e:
            r = {"cc": cc, "toe_flows": n, "error": str(e)}
        rows.append(r)
        if "error" in r:
            print(f"{cc:6} {n} TOE + {FAIR_FLOWS - n} Linux: {r['error']}", flush=True)
            continue
        share = f", TOE {sum(r['mbit'][:n]):.1f}, Linux {sum(r['mbit'][n:]):.1f} Mbit/s" if n else ""
        print(f"{cc:6} {n} TOE + {FAIR_FLOWS - n} Linux: Jain's index {r['jain']:.3f}{' <' if r['jain'] < 0.95 else ''}{share}"
              f"  {r['mbit']} {r['trouble']}", flush=True)
    return rows


def grid(arg):
    if arg.quick:
        return [c for c in itertools.product(arg.harm, (100,), (20,), arg.cc, ("send",))]
    return list(itertools.product(arg.harm, arg.rate, arg.rtt, arg.cc, arg.way))


def arguments():
    ap = argparse.ArgumentParser(description="goodput over a bad wire, TOE and Linux; table and build/goodput.json")
    ap.add_argument("--quick", action="store_true", help="one round at 100 Mbit/s and 20 ms, the TOE sends")
    ap.add_argument("--fairness", action="store_true", help=f"Jain's index over {FAIR_FLOWS} flows instead")
    ap.add_argument("-n", "--rounds", type=int, help="median of so many (5; quick: 1)")
    ap.add_argument("-s", "--seconds", type=float, help="of each transfer (5; at 100 ms 30; fairness: 60)")
    ap.add_argument("-j", "--jobs", type=int, default=1, help="cells that are slow, by link or by loss, measured at once (1)")
    ap.add_argument("--seed", type=int, default=1, help="of the dice; the next round takes the next")
    ap.add_argument("--harm", nargs="+", default=HARMS, metavar="PCT|burst|reorder|none")
    ap.add_argument("--rate", nargs="+", type=int, default=RATES, metavar="MBIT")
    ap.add_argument("--rtt", nargs="+", type=int, default=RTTS, metavar="MS")
    ap.add_argument("--cc", nargs="+", default=linux_ccs())
    ap.add_argument("--way", nargs="+", default=WAYS, choices=WAYS)
    ap.add_argument("-o", "--output", help="JSON file (build/goodput.json; fairness: build/fairness.json)")
    arg = ap.parse_args()
    arg.rounds = arg.rounds or (1 if arg.quick else 5)
    return arg


def main():
    arg = arguments()
    on_signals()
    rows = run_fairness(arg) if arg.fairness else run_all(grid(arg), arg)
    if not arg.fairness:
        print(f"\n{'':38}{'Linux':>10}{'TOE':>10}  Mbit/s")
        for r in rows:
            show(r)
    out = arg.output or os.path.join(BUILD, "fairness.json" if arg.fairness else "goodput.json")
    with open(out, "w", encoding="ascii") as f:
        json.dump(rows, f, indent=1)
    print(f"{out} written")


if __name__ == "__main__":
    try:
        main()
    except Trouble as e:
        sys.exit(f"goodput: {e}")
    except KeyboardInterrupt:
        sys.exit("goodput: stopped; everything is taken down")
