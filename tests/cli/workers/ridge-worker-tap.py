#!/usr/bin/env python3
"""Passes everything on to the worker RIDGE_TEST_TAPPED, and writes both sides to RIDGE_TEST_TAP."""

import os
import subprocess
import sys
import threading

worker = subprocess.Popen([os.environ["RIDGE_TEST_TAPPED"]], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE)
lock = threading.Lock()


def carry(source, target, side):
    with open(os.environ["RIDGE_TEST_TAP"], "ab", buffering=0) as log:
        for line in source:
            with lock:
                log.write(side + line)
            target.write(line)
            target.flush()


up = threading.Thread(target=carry, args=(worker.stdout, sys.stdout.buffer, b"< "), daemon=True)
up.start()
carry(sys.stdin.buffer, worker.stdin, b"> ")
worker.stdin.close()
up.join()
