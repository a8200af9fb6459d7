#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""toe-fw is killed 100 times at random moments under echo load; toed starts it again. How many connections live on?"""
import os
import random
import signal
import subprocess
import time

from lib import PORT, SERVER, Testbed, alive, build, hold_result, start_server, test_main, wait_for

KILLS, CONNECTIONS, SECONDS = 100, 200, 120  # seconds: a busy machine needs more for so many


def kill_the_firmware(c):
    rng = random.Random(4711)
    with Testbed("restart") as bed:
        bed.start_toed()
        start_server(bed)
        load = bed.client.popen(build("tests/apps/client_linux"), "hold", SERVER, PORT, CONNECTIONS, SECONDS,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        time.sleep(1)
        killed = 0
        end = time.monotonic() + SECONDS - 20
        while killed < KILLS and time.monotonic() < end and load.poll() is None:
            pid = wait_for("toe-fw", bed.firmware_pid, 20, 0.002)
            time.sleep(rng.uniform(0, 0.2))
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed += 1
            wait_for("another toe-fw", lambda: bed.firmware_pid() not in (None, pid), 20, 0.002)  # noqa: B023
        c.check(killed == KILLS, f"toe-fw killed {killed} times, started again each time")
        time.sleep(2)  # the last one has to carry on, too
        load.terminate()
        try:
            text = load.communicate(timeout=SECONDS + 60)[0].decode()
        except subprocess.TimeoutExpired:
            load.kill()
            text = load.communicate()[0].decode() + "the load did not end"
        lived, count = hold_result(text)
        # All of them is the bar of a later version; most of them shows that state is kept at all.
        c.check(lived >= CONNECTIONS * 9 // 10, f"{lived} of {count} connections live on: {text.strip()[-120:]}")
        c.check(alive(bed), "new connections work afterwards")


test_main("e2e restart", kill_the_firmware)
