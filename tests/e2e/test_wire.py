#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The wire of other tests (tests/harness/forwarder.c) does what it is told: dice by seed, rate, queue, delay, marks."""
import socket
import struct
import time

from lib import DEV, MIB, SERVER, Testbed, client, start_server, test_main

COUNT = 4000
HEAD = 14 + 20


def checksum(header):
    s = sum(struct.unpack("!10H", header))
    s = (s & 0xffff) + (s >> 16)
    return ~((s & 0xffff) + (s >> 16)) & 0xffff


def frame(number, ecn=0, size=100):
    """A frame with an IPv4 TCP packet that no TCP sent; its payload is a number."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, ecn, size - 14, 0, 0, 64, 6, 0, bytes([198, 51, 100, 1]), bytes([198, 51, 100, 2]))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return (b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + ip + struct.pack("!I", number)).ljust(size, b"\0")


def packet_socket(side):
    s = side.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * MIB)
    s.bind((DEV, 0x0800))
    s.settimeout(0.5)
    return s


def through(frames, *wire, pause=0.0):
    """Frames from the server's side: [(seconds since the first, number, ECN bits, checksum right)] on the client's."""
    with Testbed("wire", middle=True) as bed:
        bed.start_wire(*wire)
        tx, rx, out = packet_socket(bed.server), packet_socket(bed.client), []
        start = time.monotonic()
        for i, f in enumerate(frames):
            tx.send(f)
            if pause and i % 50 == 49:
                time.sleep(pause)
        try:
            while True:
                f = rx.recv(2048)
                if f[26:30] == bytes([198, 51, 100, 1]):
                    out.append((time.monotonic() - start, struct.unpack("!I", f[HEAD:HEAD + 4])[0], f[15] & 3,
                                checksum(f[14:HEAD]) == 0))
        except TimeoutError:
            pass
        return out, bed.stop_wire()["forth"]


def numbers(rows):
    return [r[1] for r in rows]


def dice(c):
    """Who is lost follows from the seed alone; the shares are as ordered."""
    frames = [frame(i) for i in range(COUNT)]
    one, stats = through(frames, "--seed", 7, "--loss", 5, pause=0.001)
    lost = COUNT - len(one)
    c.check(0.03 * COUNT < lost < 0.07 * COUNT and stats["lost"] == lost, f"5 % loss: {lost} of {COUNT}")
    c.check(numbers(through(frames, "--seed", 7, "--loss", 5)[0]) == numbers(one), "the same seed loses the same packets")
    c.check(numbers(through(frames, "--seed", 8, "--loss", 5)[0]) != numbers(one), "another seed others")
    rows, stats = through(frames, "--burst", "1,5")
    c.check(0.02 * COUNT < stats["burst_lost"] < 0.1 * COUNT and len(rows) == COUNT - stats["burst_lost"],
            f"bursts of 5 begin at 1 % of the packets: {stats['burst_lost']} lost")
    rows, stats = through(frames, "--dup", 2, "--reorder", 5, "--late", 3000, "--delay", 1000, pause=0.001)
    c.check(len(rows) == COUNT + stats["repeated"] and 40 < stats["repeated"] < 130, f"{stats['repeated']} came twice")
    overtaken = sum(a > b for a, b in zip(numbers(rows), numbers(rows)[1:]))
    c.check(stats["late"] > 100 and overtaken > 50, f"{stats['late']} late, {overtaken} times out of order")


def bottleneck(c):
    """Rate, queue and marks: 1,000-byte frames at 8 Mbit/s leave a millisecond apart."""
    frames = [frame(i, ecn=i % 3, size=1000) for i in range(60)]
    rows, stats = through(frames, "--rate", 8, "--delay", 20000)
    c.check(len(rows) == 60 and stats["max_backlog"] > 50000, "an endless queue takes all")
    rows, stats = through(frames, "--rate", 8, "--queue", 30000, "--ecn", 10000)
    c.check(28 <= len(rows) <= 40 and stats["queue_lost"] == 60 - len(rows), f"a queue of 30 frames: {len(rows)} of 60 pass")
    marked = [r for r in rows if r[2] == 3]
    c.check(marked and len(marked) == stats["marked"] and all(r[1] > 9 and r[1] % 3 for r in marked) and
            not any(r[1] % 3 and r[2] != 3 for r in rows[16:]), f"{len(marked)} marked, those that may be, above 10 frames")
    c.check(all(r[3] for r in rows), "their checksums are right")


def delay(c):
    with Testbed("wire", middle=True) as bed:
        bed.start_wire("--rate", 100, "--delay", 10000)
        out = bed.client.run("ping", "-q", "-c", 10, "-i", "0.05", SERVER).stdout
        rtt = float(out.split("=")[-1].split("/")[0])
        c.check(20 <= rtt < 22, f"a round trip of 20 ms: {rtt} ms")
        start_server(bed, stack="linux")
        begin = time.monotonic()
        ok, said = client(bed, "get", 10 * MIB)
        took = time.monotonic() - begin
        c.check(ok and took >= 10 * MIB * 8 / 100e6, f"10 MiB at 100 Mbit/s: {said}")


test_main("e2e wire", dice, bottleneck, delay)
