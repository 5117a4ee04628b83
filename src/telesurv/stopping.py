"""What asks a process of several threads to stop."""

import queue
import signal
import threading


def stopped_by(*numbers: signal.Signals) -> threading.Event:
    """Return an event that is set once one of these signals came; the main thread's to call.

    A handler runs in the middle of whatever the main thread does, also of another handler. One
    that set the event itself would wait for ever for a lock that its own thread holds.
    """
    stop = threading.Event()
    asked: queue.SimpleQueue[None] = queue.SimpleQueue()  # whose `put` takes no lock

    def pass_on() -> None:
        asked.get()
        stop.set()

    threading.Thread(target=pass_on, name="stopping", daemon=True).start()
    for number in numbers:
        signal.signal(number, lambda *_: asked.put(None))
    return stop
