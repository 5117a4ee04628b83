"""Valid frames of any kind, damaged ones, and records of other kinds: never a crash.

And whatever comes, in whatever batches, the states and alerts are those of one pass.
"""

import random

import numpy as np
import pytest

from telesurv.engine import Engine
from telesurv.snapshot import restore, snapshot
from telesurv_streams import wire
from telesurv_streams.log import HEADER_ARRIVAL, HEADER_KIND, HEADER_MODE, Headers, Record

BEGIN_NS = 1_700_000_000 * 10**9
CHANNELS = (
    "ecg.II",
    "ecg.V",
    "ecg.1",
    "ppg",
    "spo2",
    "respiration",
    "weight",
    "rr",
    "x.foo",
    "abp",
)
RATES_HZ = (0, 0.5, 1, 62.5, 100, 125, 250, 360, 1000, 999.56)
ARRIVALS = (b"99999999999999999999", b"abc", b"9223372036854775809", b"")


def samples(rng: random.Random, rate_hz: float) -> np.ndarray:
    count = 1
    if rate_hz:
        count = rng.choice([1, 2, 7, int(rate_hz) + 1, int(rate_hz * rng.random() * 12) + 1])
    if rng.random() < 0.5:
        return np.full(count, rng.randint(-32768, 32767), np.int16)
    drawn = [rng.choice([0, -32768, 32767, rng.randint(-32768, 32767)]) for _ in range(count)]
    return np.array(drawn, np.int16)


def row(rng: random.Random, number: int) -> wire.Row:
    rate_hz = rng.choice(RATES_HZ)
    channel = rng.choice(CHANNELS)
    second_ns = BEGIN_NS + number * 10**9
    start_ns = rng.choice(
        [second_ns, second_ns + rng.randint(-(10**10), 10**10), BEGIN_NS + rng.randint(0, 10**15)]
    )
    return wire.Row(
        rng.choice("ab"),
        rng.choice(["d1", "d2"]),
        channel,
        start_ns,
        float(rate_hz),
        rng.choice([1.0, -0.005, 1e-30, 1e30, 0.01]),
        rng.choice([0.0, 1e20, -5.0]),
        samples(rng, rate_hz),
        rng.choice([-1, number, number, number, rng.randint(0, 100)]),
    )


def record(rng: random.Random, number: int, arrival_ns: int) -> Record:
    if rng.random() < 0.1:
        key = rng.choice([None, b"a"])
        kind = rng.choice([b"tick", b"data-lost", b"plan", b"zzz"])
        return Record("frames", 0, number, arrival_ns, key, b"", ((HEADER_KIND, kind),))
    headers: Headers = (wire.FRAME_HEADER,)
    if rng.random() < 0.3:
        mode = rng.choice([b"replay", b"demo", b"x"])
        told = rng.choice([str(arrival_ns).encode(), *ARRIVALS])
        headers += ((HEADER_MODE, mode), (HEADER_ARRIVAL, told))
    value = wire.encode([row(rng, number) for _ in range(rng.randint(1, 4))])
    if rng.random() < 0.1:
        value = value[: rng.randint(0, len(value))]
    if rng.random() < 0.1 and value:
        damaged = bytearray(value)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        value = bytes(damaged)
    key = rng.choice([b"a", b"a", b"a", b"b", None, b"\xff", b"a b"])
    return Record("frames", 0, number, arrival_ns, key, value, headers)


@pytest.mark.parametrize("seed", range(60))
def test_anything_in_any_batches(seed: int) -> None:
    rng = random.Random(seed)
    records, arrival_ns = [], BEGIN_NS
    for number in range(rng.randint(3, 60)):
        arrival_ns += rng.choice([10**9, 10**9, 50 * 10**9, 3600 * 10**9 * rng.randint(0, 3)])
        records.append(record(rng, number, arrival_ns))
    engine, whole = Engine(), Engine()
    alerts, at = [], 0
    while at < len(records):
        size = rng.randint(1, 20)
        alerts += engine.feed(records[at : at + size]).alerts
        at += size
    expected = whole.feed(records).alerts
    assert sorted(alerts, key=_order) == sorted(expected, key=_order)
    assert engine.table.keys.keys() == whole.table.keys.keys()
    for key, number in engine.table.keys.items():
        mine = snapshot(engine, number, 0, with_ring=True)
        assert mine == snapshot(whole, whole.table.keys[key], 0, with_ring=True)
        restore(Engine(), mine, 0)


def _order(item: tuple[int, object]) -> tuple[str, int]:
    alert = item[1]
    return alert.id, alert.revision  # type: ignore[attr-defined]
