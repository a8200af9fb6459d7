# SPDX-License-Identifier: BSD-2-Clause
"""Capture on the peer's device, and what tshark thinks of it: warnings and errors of its expert, options of SYNs.

Owned traffic does not pass a capture on the TOE's side; the peer's kernel sees every frame. dumpcap says how many
frames it lost, and after a loss tshark's opinion on missing segments means nothing.
"""
import collections
import os
import re
import subprocess
import time

from lib import DEV, PORT, SERVER, SERVER6, Trouble, wait_for

WARNING = 0x600000  # severities from here on: warning, error
SAME_SUM = "0xffff instead of 0x0000"  # in ones' complement one number; what one sends is a matter of taste
SNAPLEN = 192  # all headers
SYN, ACK, ECE, CWR = 0x02, 0x10, 0x40, 0x80  # flags of TCP
CE = 3  # of IP's ECN field
# What the streams carry is nobody's protocol.
TSHARK = ["tshark", "-n", "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
TSHARK += [w for port in (PORT, PORT + 1) for w in ("-d", f"tcp.port=={port},data")]

# toe: who sent it; seq, ack: relative; ecn: of IP
Segment = collections.namedtuple("Segment", "time toe seq length ack flags ecn")


class Capture:
    def __init__(self, bed, side, name):
        self.bed, self.log, self.path = bed, name + ".log", os.path.join(bed.dir, name + ".pcapng")
        self.p = side.popen("dumpcap", "-q", "-i", DEV, "-s", SNAPLEN, "-B", 64, "-w", self.path, "-f", "tcp", log=self.log)
        wait_for("dumpcap", lambda: "File:" in bed.log(self.log) or self.p.poll() is not None)
        if self.p.poll() is not None:
            raise Trouble("dumpcap: " + bed.log(self.log).strip()[-200:])

    def stop(self):
        """End it: frames that it lost."""
        time.sleep(0.5)  # it takes frames from the kernel in blocks, and forgets a last one that is not full
        self.p.terminate()
        self.p.wait(10)
        m = re.search(r"received/dropped on interface '.*': (\d+)/(\d+)", self.bed.log(self.log))
        if not m:
            raise Trouble("dumpcap: " + self.bed.log(self.log).strip()[-200:])
        return int(m[2])

    def _fields(self, display, *fields):
        """Rows of the frames that `display` selects: a list of values for each field."""
        argv = TSHARK + ["-r", self.path, "-Y", display, "-T", "fields", "-E", "aggregator=|"]
        for f in fields:
            argv += ["-e", f]
        p = subprocess.run(argv, capture_output=True, text=True, timeout=250, check=False)
        if p.returncode:
            raise Trouble("tshark: " + p.stderr.strip()[-200:])
        return [[v.split("|") for v in line.split("\t")] for line in p.stdout.splitlines()]

    def complaints(self):
        """[(time, text)]: warnings and errors of TCP and IP."""
        out = []
        for (when,), severity, text in self._fields(f"_ws.expert.severity >= {WARNING}", "frame.time_epoch",
                                                    "_ws.expert.severity", "_ws.expert.message"):
            out += [(float(when), t) for s, t in zip(severity, text) if int(s) >= WARNING and SAME_SUM not in t]
        return out

    def handshakes(self):
        """[(time, is SYN-ACK, {option kinds}, {flag letters E C})] of all SYNs."""
        rows = self._fields("tcp.flags.syn == 1", "frame.time_epoch", "tcp.flags.ack", "tcp.option_kind", "tcp.flags.ece",
                            "tcp.flags.cwr")
        return [(float(when), ack in ("1", "True"), {int(k) for k in kinds if k},
                 {n for n, v in (("E", ece), ("C", cwr)) if v in ("1", "True")})
                for (when,), (ack,), kinds, (ece,), (cwr,) in rows]

    def segments(self):
        """Every TCP segment, as Segment."""
        rows = self._fields("tcp", "frame.time_epoch", "ip.src", "ipv6.src", "tcp.seq", "tcp.len", "tcp.ack", "tcp.flags",
                            "ip.dsfield.ecn", "ipv6.tclass.ecn")
        return [Segment(float(when), SERVER in src or SERVER6 in src6, int(seq), int(length), int(ack or 0), int(flags, 16),
                        int(ecn or ecn6))
                for (when,), src, src6, (seq,), (length,), (ack,), (flags,), (ecn,), (ecn6,) in rows]
