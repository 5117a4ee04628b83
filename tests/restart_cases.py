"""A restart in the middle of a log: what is saved, restored, and goes on."""

from engine_cases import Ran, run
from telesurv.engine import Engine
from telesurv.intake import Clock
from telesurv.needs import needs
from telesurv.snapshot import restore, snapshot
from telesurv_streams.log import Record


def saved(engine: Engine, held: int, with_ring: bool = True) -> list[bytes]:
    """Snapshots of all patients; rings that the log cannot fill again come in any case."""
    rows = list(engine.table.keys.values())
    return [
        snapshot(engine, row, held, with_ring or need.first is None)
        for row, need in zip(rows, needs(engine.table, rows), strict=True)
    ]


def restored(snapshots: list[bytes]) -> Engine:
    engine = Engine()
    for data in snapshots:
        restore(engine, data, 0)
    return engine


def goes_on(records: list[Record], at: int, with_ring: bool) -> tuple[Ran, Ran]:
    """What comes before a restart at a record, and after it."""
    before = run(records[:at])
    engine = restored(saved(before.engine, at, with_ring))
    if not with_ring:  # the log is read again from its beginning
        after = run(records, (at,), engine)
        assert not any(engine.refill._places.values()), "what was looked up is let go"
    else:
        clock = before.engine.clocks.get(0, Clock())
        engine.clocks[0] = Clock(clock.arrival_ns, clock.shift_ns)
        after = run(records[at:], (), engine)
    return before, after
