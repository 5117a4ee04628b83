"""Drawn senders: leads, oximeters, careless clocks, lost and late frames, plans and ticks."""

import random
from collections.abc import Iterator
from dataclasses import replace

from engine_cases import MS, T0, S, Signal, Tape, beating, end_ns, made, off, oxygen
from telesurv.alerts.model import Limits, Plan
from telesurv_streams.wire import Row

LEADS = ("ecg.II", "ecg.V5", "ecg.1", "ecg.unheard")


def drawn(seed: int) -> Tape:
    """The log of one to three patients, of a minute or so."""
    rng = random.Random(seed)
    coming: list[tuple[float, Row]] = []
    for number in range(rng.randint(1, 3)):
        seen = set()
        for signal in _signals(rng, seed + number):
            if (signal.channel, signal.device) not in seen:
                seen.add((signal.channel, signal.device))
                coming += _sent(rng, signal, f"p{number}")
    coming.sort(key=lambda item: item[0])
    return _tape(rng, coming)


def _signals(rng: random.Random, seed: int) -> Iterator[Signal]:
    length_s = rng.randint(40, 90)
    stops, at = [], rng.uniform(8, 20)
    while at < length_s - 10:
        stops.append((at, at + rng.choice([2.6, 3.4, 5, 8, 12])))
        at += rng.uniform(14, 40)
    for number in range(rng.randint(1, 3)):
        beats = beating(length_s, stops if rng.random() < 0.8 else [])
        signal = made(
            beats, length_s, rng.choice(LEADS), rate_hz=rng.choice([125.0, 250.0, 250.0, 360.0]),
            gain=rng.choice([1.0, -0.7, 0.5]), seed=seed + number, device=rng.choice("de"),
        )  # fmt: skip
        if rng.random() < 0.4:
            begin = rng.uniform(0, length_s - 15)
            signal = off(signal, (begin, begin + rng.uniform(3, 20)))
        if rng.random() < 0.2:
            signal = replace(signal, start_ns=T0 + rng.randint(-2 * S, 2 * S))
        if rng.random() < 0.3:
            signal = replace(signal, codes=signal.codes[: rng.randint(300, len(signal.codes))])
        yield signal
    for _ in range(rng.randint(0, 2)):
        levels = [(rng.randint(5, 30), rng.choice([97, 97, 88, 84, 80, 0])) for _ in range(5)]
        yield oxygen(levels, device=rng.choice("lr"), rate_hz=rng.choice([1.0, 1.0, 4.0]))


def _sent(rng: random.Random, signal: Signal, patient: str) -> Iterator[tuple[float, Row]]:
    """Frames with the second in which each arrives."""
    frame_s = rng.choice([0.25, 0.5, 1, 1, 1, 2, 5, 10, 30])
    jitter_ns = rng.choice([0, 0, 0, 1, 5, 15, 40]) * MS
    for row in signal.frames(patient, frame_s, numbered=rng.random() < 0.7):
        if rng.random() < 0.02:
            continue
        sent = row._replace(start_ns=row.start_ns + rng.randint(-jitter_ns, jitter_ns))
        if rng.random() < 0.005:
            sent = sent._replace(scale=sent.scale * 2)
        at_s = end_ns(sent) / S + rng.random() * rng.choice([0.1, 0.1, 1.5, 4])
        if rng.random() < 0.01:
            at_s += rng.choice([8, 70])
        yield at_s, sent
        if rng.random() < 0.02:
            yield at_s + 3 * rng.random(), sent


def _tape(rng: random.Random, coming: list[tuple[float, Row]]) -> Tape:
    tape, tick_ns = Tape(), T0
    for at_s, row in coming:
        now_ns = round(at_s * S)
        while now_ns - tick_ns > 10 * S:
            tick_ns += 10 * S
            if rng.random() < 0.98:
                tape.tick(tick_ns)
        if rng.random() < 0.005:
            limits = Limits(heart_rate_low=rng.choice([40, 55]), spo2_low=rng.choice([90, 86]))
            plan = Plan(
                patient=row.patient, version=rng.randint(1, 6), grace="0s", limits=limits,
                expected_interval=rng.choice(["1m", "15m"]), ended=rng.random() < 0.2,
            )  # fmt: skip
            tape.plan(plan, now_ns)
        if rng.random() < 0.002:
            tape.lost(now_ns)
        tape.rows([row], now_ns)
    for _ in range(rng.choice([0, 3, 20])):
        tape.tick(tape.now_ns + 10 * S)
    return tape
