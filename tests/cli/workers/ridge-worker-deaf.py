#!/usr/bin/env python3
"""A worker without the SDK that never looks whether its stdin has ended: it answers one request and
then does something else for ever, as a worker stuck in a library call does. RIDGE_TEST_DEAF names
the request at which it stops listening (default: hello, answered first)."""

import json
import os
import signal
import sys
import time

for name in ("SIGHUP", "SIGPIPE", "SIGTERM", "SIGINT"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)

ANSWERS = {
    "hello": {"protocol": 1, "worker": "deaf", "devices": [{"id": "0", "name": "none",
                                                           "cache_bytes": 1024}]},
    "supports": {"supports": [None]},
    "prepare": {"handle": 1, "copies": 1, "kernel": f"deaf, pid {os.getpid()}"},
}
last = os.environ.get("RIDGE_TEST_DEAF", "hello")
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] not in ANSWERS:
        break
    print(json.dumps({"id": request["id"], "ok": True, **ANSWERS[request["do"]]}), flush=True)
    if request["do"] == last:
        break
while True:
    time.sleep(1000)
