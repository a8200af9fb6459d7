#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Linux TCP and the TOE through a bottleneck that marks (ECN, RFC 3168), and over a wire that loses: every congestion
control of either, by IPv4 and IPv6 in turn, opened by either in turn.

A capture on Linux' side shows who sent as ECN-capable, the echo (ECE), and CWR that ends it. What Linux sends is seen
there before it is marked: those marks are the TOE's to count.
"""
import re
import time

from capture import ACK, CE, CWR, ECE, SYN, Capture
from lib import (CLIENT, CLIENT6, MIB, SERVER, SERVER6, Testbed, client, kernel_counters, linux_ccs, linux_route,
                 start_server, test_main, toe_counters)

TOE_CCS = "reno", "cubic", "dctcp", "bbr"
ECHOES_EACH_MARK = "dctcp"  # as a receiver (RFC 8257 3.2): CWR does not end it
BBR = "bbr"  # slows down for no mark; the TOE's data is not ECN-capable then
RATE = 20  # Mbit/s
WIRE = "--rate", RATE, "--delay", 1000
LEAST = 0.8 * RATE
MARK_ABOVE = 30000  # bytes of queue: some milliseconds of it remain where a sender has slowed down


class Transfer:
    """Bytes one way between the TOE and Linux, and what both counted meanwhile."""

    def __init__(self, bed, toe_cc, linux_cc, number, toe_sends):
        family, linux_opens = (4, 6)[number % 2], number // 2 % 2 == 0
        self.toe_sends, self.faults = toe_sends, []
        self.cc, self.peer_cc = (toe_cc, linux_cc) if toe_sends else (linux_cc, toe_cc)
        linux_route(bed, family, linux_cc)
        toe, kernel, self.start = toe_counters(bed), kernel_counters(bed.client), time.time()
        self.ok, said = client(bed, "get" if toe_sends == linux_opens else "put", MIB, timeout=30,
                               addr=((SERVER, SERVER6) if linux_opens else (CLIENT, CLIENT6))[family == 6],
                               stack="linux" if linux_opens else "toe")
        time.sleep(0.02)  # what TCP still has to say
        self.end = time.time()
        self.toe = {k: v - toe[k] for k, v in toe_counters(bed).items()}
        self.kernel = {k: v - kernel.get(k, 0) for k, v in kernel_counters(bed.client).items()}
        self.mbit = MIB * 8e-6 / float(re.search(r", ([\d.]+) s$", said)[1]) if self.ok else 0
        self.repeated = self.toe["tx_retransmits"] if toe_sends else self.kernel["TcpRetransSegs"]
        self.text = (f"{('Linux', 'TOE')[toe_sends]} sends by {self.cc} to {('the TOE', 'Linux')[toe_sends]}'s {self.peer_cc}, "
                     f"IPv{family}, {('TOE', 'Linux')[linux_opens]} opens: "
                     f"{f'{self.mbit:.1f} Mbit/s, {self.repeated} sent again' if self.ok else said}")
        self.expect(self.ok, "no transfer")
        self.expect(self.toe["active_opens"] + self.toe["passive_opens"] == 1, "not the TOE's connection")

    def expect(self, ok, what):
        if not ok:
            self.faults.append(what)

    def result(self, c):
        c.check(not self.faults, self.text + "".join(f"\n     {f}" for f in self.faults))


class Echo:
    """ECE and CWR of a transfer, in the order of the capture."""

    def __init__(self, segments, toe_sends, until_cwr):
        self.until_cwr = until_cwr  # an echo stands until then
        self.cwr, self.begun, self.ended, self.faults = [], 0, 0, []
        self.echoed_to = None  # the number of the last ACK with ECE, while they come
        self.answered = True  # by CWR, since the echo was last seen
        self.newest = 0
        for s in segments:
            if not s.flags & SYN:
                (self._data if s.toe == toe_sends else self._ack)(s)

    def _data(self, s):
        if s.flags & CWR:
            if self.answered:
                self.faults.append(f"CWR at {s.seq} without an echo")
            if not s.length or s.seq < self.newest:
                self.faults.append(f"CWR at {s.seq} is not on new data")
            self.cwr.append(s.seq)
            self.answered = True
        self.newest = max(self.newest, s.seq + s.length)

    def _ack(self, s):
        if s.flags & ECE:
            self.begun += self.echoed_to is None
            self.echoed_to, self.answered = s.ack, False
        elif self.echoed_to is not None:
            self.ended += 1
            if self.until_cwr and not any(self.echoed_to <= seq < s.ack for seq in self.cwr):
                self.faults.append(f"the echo ends at {s.ack} without CWR")
            self.echoed_to = None


def capable_faults(segments, capable):
    """Is what the TOE sends ECN-capable where it may, and shall be: on new data alone? (RFC 3168 6.1)."""
    newest, faults = 0, []
    for s in segments:
        if s.toe and bool(s.ecn) != (capable and s.length > 0 and s.seq >= newest):
            faults.append(f"{s.length} bytes at {s.seq} of {newest} with ECN field {s.ecn}")
        if s.toe:
            newest = max(newest, s.seq + s.length)
    return faults


def judge_reaction(t, marks, cwr):
    """Did the sender hear of the marks, and slow down for each CWR?"""
    if t.toe_sends:
        n = t.toe["ecn_reductions"]
        t.expect(cwr <= n <= cwr + 1, f"{n} reductions")  # the last may have had no data to tell of it
        return
    n = t.kernel["TcpExtTCPDeliveredCE"]
    t.expect(n, "Linux heard of no mark")
    if t.peer_cc == ECHOES_EACH_MARK:
        t.expect(abs(n - marks) <= 2 + marks / 10, f"Linux heard of {n} marks")


def judge_marks(t, segments):
    """Marks alone have slowed the sender: they were echoed, answered by CWR, and nothing was lost."""
    capable = BBR != (t.cc if t.toe_sends else t.peer_cc)
    t.faults += capable_faults(segments, capable)[:3]
    t.expect(t.mbit > LEAST, "too slow")
    t.expect(t.repeated <= 3, "sent again, though nothing was lost")
    marks = sum(s.toe and s.ecn == CE for s in segments) if t.toe_sends else t.toe["rx_ce"]
    echo = Echo(segments, t.toe_sends, t.peer_cc != ECHOES_EACH_MARK)
    t.text += f", {marks} marks, {echo.begun} echoes, {len(echo.cwr)} CWR"
    t.faults += echo.faults[:3]
    if t.toe_sends and not capable:
        t.expect(not (marks or echo.begun or echo.cwr), "marks")
        return
    t.expect(marks and echo.begun and echo.cwr and echo.ended, "no marks, echo, CWR or end of the echo")
    t.expect(t.cc == BBR or marks < sum(s.toe == t.toe_sends for s in segments) / 3, "as many marks as before")
    judge_reaction(t, marks, len(echo.cwr))


def judge_plain(t, segments):
    """One side has no ECN: nothing but a SYN that asks for it is on the wire."""
    t.expect(not any(s.ecn for s in segments), "ECT")
    t.expect(not any(s.flags & (ECE | CWR) for s in segments if s.flags & (SYN | ACK) != SYN), "ECE or CWR")


def start(bed, tcp_ecn, *toed, wire):
    bed.start_wire(*WIRE, *wire)
    bed.set(bed.client, "net.ipv4.tcp_ecn", tcp_ecn)
    bed.start_toed(*toed)
    start_server(bed, addr="::")
    start_server(bed, addr="::", stack="linux", side=bed.client)


def judge_all(c, transfers, judge, capture):
    """Stop the capture and judge each transfer."""
    lost = capture.stop()
    segments = capture.segments()
    c.check(not lost, f"{len(segments)} segments captured, {lost} missed")
    for t in transfers:
        if t.ok and not lost:
            judge(t, [s for s in segments if t.start <= s.time < t.end])
        t.result(c)


def in_time(*args):
    """A Transfer, or its second try: a busy machine slows one down, a sender that slows down too far each."""
    t = Transfer(*args)
    return t if t.mbit > LEAST else Transfer(*args)


def marks(c):
    """Both sides have ECN."""
    for i, toe_cc in enumerate(TOE_CCS):
        with Testbed("congestion", middle=True) as bed:
            start(bed, 1, "--congestion", toe_cc, "--ecn", "on", wire=("--ecn", MARK_ABOVE))
            capture = Capture(bed, bed.client, "marks")
            transfers = [in_time(bed, toe_cc, linux_cc, i + j, toe_sends)
                         for j, linux_cc in enumerate(linux_ccs()) for toe_sends in (True, False)]
            judge_all(c, transfers, judge_marks, capture)


def one_side_without(c):
    """Either side has ECN, the other not."""
    for tcp_ecn, toed in ((0, "on"), (1, "off")):
        with Testbed("congestion", middle=True) as bed:
            start(bed, tcp_ecn, "--ecn", toed, wire=("--ecn", MARK_ABOVE))
            capture = Capture(bed, bed.client, "plain")
            transfers = [Transfer(bed, "cubic", "cubic", n, toe_sends)
                         for n, toe_sends in ((0, True), (1, False), (2, False), (3, True))]
            judge_all(c, transfers, judge_plain, capture)


def losses(c):
    """1 % of all packets get lost, both ways."""
    ccs = linux_ccs()
    for i in range(max(len(TOE_CCS), len(ccs))):
        toe_cc = TOE_CCS[i % len(TOE_CCS)]
        with Testbed("congestion", middle=True) as bed:
            start(bed, 0, "--congestion", toe_cc, wire=("--loss", 1, "--seed", i + 1))
            for toe_sends in (True, False):
                t = Transfer(bed, toe_cc, ccs[i % len(ccs)], i, toe_sends)
                t.expect(t.mbit > RATE / 20, "too slow")
                t.expect(0 < t.repeated < 40, "sent again: not what was lost")
                t.result(c)


test_main("e2e congestion", marks, one_side_without, losses)
