#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Interoperation with Linux TCP in all its moods: address family, congestion control, timestamps, SACK, window scaling,
ECN, MTU, and who opens. Each cell moves data both ways, compared to the byte.

    test_interop.py            every pair of settings, in a few dozen cells
    test_interop.py full       every combination (`make test-interop`)

Each cell is repeated between kernels. What both leave in a capture on the peer's side is read by tshark: a warning or
error that comes up with the TOE, and in as many tries never with the kernel, fails the cell; one that a process which
had to wait for a CPU explains must have come in most tries.
"""
import collections
import itertools
import re
import sys
import time

from capture import Capture
from lib import (CLIENT, CLIENT6, DEV, KIB, PORT, SERVER, SERVER6, Testbed, Trouble, client, counter, linux_ccs,
                 linux_route, start_server, test_main)

KERNEL_PORT = PORT + 1  # on the server's side, not the TOE's
AMOUNT = 150 * KIB
WIRE = "--rate", 10, "--delay", 200  # so slow that readers keep up: no zero window by chance
OPT_WSCALE, OPT_SACK, OPT_TS = 3, 4, 8
TRIES = 5  # of a cell with a warning
# What a process that had to wait explains; also the reset: an ACK that comes late has the peer repeat its FIN, and the
# answer to that finds no socket any more.
LATE = re.compile("Zero Window segment|window .* completely full|D-SACK|Connection reset")


FACTORS = {
    "mtu": (576, 1280, 1500, 9000),
    "family": (4, 6),
    "cc": linux_ccs(),
    "timestamps": (1, 0),
    "sack": (1, 0),
    "window_scaling": (1, 0),
    "ecn": (0, 1),
    "opener": ("Linux", "TOE"),
}
Cell = collections.namedtuple("Cell", FACTORS)


def all_cells():
    """Every combination that exists: IPv6 needs 1280 bytes."""
    return [c for c in map(Cell._make, itertools.product(*FACTORS.values())) if c.family == 4 or c.mtu >= 1280]


def pairs_of(cell):
    return set(itertools.combinations(enumerate(cell), 2))


def pairwise():
    """A covering array: always the cell that has the most pairs of settings which no cell had yet."""
    cells, chosen = {c: pairs_of(c) for c in all_cells()}, []
    missing = set().union(*cells.values())
    while missing:
        best = max(cells, key=lambda c: len(cells[c] & missing))
        missing -= cells[best]
        chosen.append(best)
    return chosen


def text(cell):
    on = [f for f in ("timestamps", "sack", "window_scaling", "ecn") if getattr(cell, f)]
    return f"MTU {cell.mtu}, IPv{cell.family}, {cell.cc}, {cell.opener} opens, {' '.join(on) or 'no options'}"


def configure(bed, cell):
    """The Linux side's mood. Its route's largest cwnd keeps Linux below the window that a receiver begins with: how soon
    that grows is not what is compared here, nor congestion (test_congestion.py)."""
    for f in ("timestamps", "sack", "window_scaling", "ecn"):
        bed.set(bed.client, f"net.ipv4.tcp_{f}", getattr(cell, f))
    linux_route(bed, cell.family, cell.cc, "cwnd", "lock", 40000 // cell.mtu)


def acquaint(bed, cells):
    """Linux heeds a route's cwnd once it has metrics of the peer: from a connection that has ended."""
    for family, cell in {cell.family: cell for cell in cells}.items():
        configure(bed, cell)
        ok, said = client(bed, "get", 1, port=KERNEL_PORT, addr=SERVER if family == 4 else SERVER6, timeout=30)
        if not ok:
            raise Trouble(f"kernel to kernel: {said}")


def transfers(bed, cell, kernel):
    """Both ways; None, or what went wrong. `kernel`: the TOE's part is the kernel's."""
    to_server, to_client = (SERVER, CLIENT) if cell.family == 4 else (SERVER6, CLIENT6)
    for what in ("get", "put"):
        if cell.opener == "Linux":
            ok, said = client(bed, what, AMOUNT, port=KERNEL_PORT if kernel else PORT, addr=to_server, timeout=30)
        else:
            ok, said = client(bed, what, AMOUNT, stack="linux" if kernel else "toe", addr=to_client, timeout=30,
                              side=bed.server)
        if not ok:
            return f"{what}: {said}"
    return None


class Phase:
    """Some transfers of a cell, between two moments of a capture."""

    def __init__(self, bed, cell, kernel):
        self.start = time.time()
        self.error = transfers(bed, cell, kernel)
        time.sleep(0.02)  # what TCP still has to say
        self.end = time.time()

    def of(self, rows):
        return [r for r in rows if self.start <= r[0] < self.end]


def opened(bed):
    return counter(bed, "passive_opens") + counter(bed, "active_opens")


def handshake_fault(cell, rows):
    """Do Linux's SYNs show the cell's settings, and do answers offer only what was offered? None, or what is wrong."""
    mood = {k for f, k in (("timestamps", OPT_TS), ("sack", OPT_SACK), ("window_scaling", OPT_WSCALE)) if getattr(cell, f)}
    kinds = {OPT_TS, OPT_SACK, OPT_WSCALE}
    last = None
    for _, answer, options, ecn in rows:
        if answer == (cell.opener == "TOE") and (options - mood) & kinds:
            return f"Linux sent options {sorted(options & kinds)}"
        if not answer:
            last = options, ecn
        elif last and ((options - last[0]) & kinds or (ecn and "E" not in last[1])):
            return f"SYN-ACK with options {sorted(options)} {sorted(ecn)} to a SYN with {sorted(last[0])} {sorted(last[1])}"
    return None if rows else "no SYN in the capture"


def run_cells(bed, cells, progress):
    """[(cell, TOE's phase, kernel's phase)], the capture of it all, and how many frames that lost."""
    capture = Capture(bed, bed.client, f"mtu{cells[0].mtu}-{time.monotonic_ns()}")
    done = []
    for cell in cells:
        configure(bed, cell)
        before = opened(bed)
        done.append((cell, Phase(bed, cell, False), Phase(bed, cell, True)))
        if opened(bed) - before != 2 and not done[-1][1].error:
            done[-1][1].error = "not the TOE's connections"
        progress(cell)
    return done, capture, capture.stop()


class Opinion:
    """What tshark has against a cell's tries: how many of the TOE's, and any of the kernel's."""

    def __init__(self):
        self.tries, self.toe, self.kernel = 0, collections.Counter(), set()

    def hear(self, toe, kernel):
        self.tries += 1
        self.toe.update(toe)
        self.kernel |= kernel

    def more(self):
        """{text: in how many tries} of what only the TOE is told."""
        return {t: n for t, n in self.toe.items() if t not in self.kernel}

    def faults(self):
        return [t for t, n in self.more().items() if not LATE.search(t) or 2 * n > self.tries]


def examine(done, capture, lost, opinions):
    """Add to `opinions` what tshark says; returns {cell: what is wrong with its handshakes}."""
    complaints, hands = capture.complaints(), capture.handshakes()
    if lost:  # then what tshark misses was perhaps there
        complaints = [c for c in complaints if "captured" not in c[1]]
    faults = {}
    for cell, toe, kernel in done:
        opinions.setdefault(cell, Opinion()).hear(*({t for _, t in phase.of(complaints)} for phase in (toe, kernel)))
        fault = None if lost else handshake_fault(cell, toe.of(hands))
        if fault:
            faults[cell] = fault
    return faults


def one_mtu(c, mtu, cells, progress):
    with Testbed("interop", middle=True) as bed:
        for side, dev in ((bed.server, DEV), (bed.client, DEV), (bed.middle, "srv0"), (bed.middle, "cli0")):
            side.run("ip", "link", "set", dev, "mtu", mtu, check=True)
        bed.start_wire(*WIRE)
        bed.start_toed()
        start_server(bed, addr="::")
        start_server(bed, addr="::", stack="linux", side=bed.client)
        start_server(bed, addr="::", stack="linux", port=KERNEL_PORT)
        acquaint(bed, cells)
        done, capture, lost = run_cells(bed, cells, progress)
        for cell, toe, kernel in done:
            c.check(not toe.error, f"{text(cell)}{': ' + toe.error if toe.error else ''}")
            if kernel.error:
                c.check(False, f"{text(cell)}, kernel to kernel: {kernel.error}")
        opinions = {}
        faults = examine(done, capture, lost, opinions)
        c.check(not faults, f"MTU {mtu}: options of SYNs" + "".join(f"\n     {text(k)}: {v}" for k, v in faults.items()))
        for _ in range(TRIES - 1):
            again = [cell for cell, o in opinions.items() if o.more()]
            if again:
                examine(*run_cells(bed, again, lambda cell: None), opinions)
        c.check(not any(o.faults() for o in opinions.values()), f"MTU {mtu}: tshark's warnings are the kernel's too" +
                "".join(f"\n     {text(k)}: in {n} of {o.tries} tries {t}"
                        for k, o in opinions.items() for t, n in sorted(o.more().items())))
        if lost:
            print(f"     the capture lost {lost} frames", flush=True)


def run(c, cells, progress=lambda cell: None):
    for mtu, group in itertools.groupby(sorted(cells, key=lambda cell: cell.mtu), key=lambda cell: cell.mtu):
        one_mtu(c, mtu, list(group), progress)


def pairs(c):
    """Every two settings meet."""
    cells = pairwise()
    c.check(len(cells) <= 60, f"{len(cells)} cells cover every pair of settings")
    run(c, cells)


def full(c):
    cells, start, done = all_cells(), time.monotonic(), []

    def progress(cell):
        done.append(cell)
        if len(done) % 20 == 0 or len(done) == len(cells):
            print(f"[{len(done)}/{len(cells)}, {time.monotonic() - start:.0f} s] {text(cell)}", flush=True)
    run(c, cells, progress)


test_main("e2e interop", full if "full" in sys.argv[1:] else pairs)
