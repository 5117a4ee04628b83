"""A signal stops a process, also a second one that comes while the first is handled."""

import subprocess
import sys

SCRIPT = """
import os, signal
from telesurv import stopping
stop = stopping.stopped_by(signal.SIGTERM, signal.SIGINT)
tell = stop._cond.notify_all
def again():
    os.kill(os.getpid(), signal.SIGTERM)
    tell()
stop._cond.notify_all = again
with stop._cond:  # as while it begins to wait
    os.kill(os.getpid(), signal.SIGTERM)
assert stop.wait(5)
"""


def test_signals_that_come_at_the_worst_time_stop_it_all_the_same() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=20)
