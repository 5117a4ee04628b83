"""All ECG leads of a WFDB record as one heart: what `leads` makes of what `beats` finds in each.

The leads are given to `quality` and `beats` a second at a time, and what is found to the fusion
kernel, lead after lead within each second, without a look ahead.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv.lead import AFTER_S, Lead, Unsuited, read_lead
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import beats, leads, quality
from telesurv_streams import channels
from telesurv_streams.frame import MISSING

LAG_NS = 3_000_000_000
"""So long a lead that is behind is waited for; leads of a record never are."""


class Heart(NamedTuple):
    """What the leads of a record say together; times count from its first sample."""

    leads: list[Lead]
    events: NDArray[Any]  # EVENT, up to the record's end: BEAT, MARK, GAP

    @property
    def beats(self) -> NDArray[Any]:
        """The BEATs; `flags >> LEAD_SHIFT` is the index in `leads` of the one that was told."""
        found: NDArray[Any] = self.events[self.events["kind"] == codes.BEAT]
        return found


def read_leads(record: Path) -> list[Lead]:
    """Read the ECG leads of a WFDB record; raises `Unsuited` where there are none."""
    import wfdb

    name = str(record.with_suffix("") if record.suffix == ".hea" else record)
    header = wfdb.rdheader(name, rd_segments=True)
    signals = zip(header.sig_name or (), header.units or (), strict=True)
    found = [channels.resolve(*signal) for signal in signals]
    numbers = [n for n, one in enumerate(found) if one and one.name.startswith(channels.ECG)]
    if not numbers:
        raise Unsuited(f"{name}: has no ECG")
    return [read_lead(record, number) for number in numbers]


def hear_all(record: Path) -> Heart:
    """Run the kernels over all ECG leads of a WFDB record, a second at a time.

    Events that were decided in the missing seconds after the record's end are there, too; those
    that lie after it are not.
    """
    return hear_together(read_leads(record))


def hear_together(several: list[Lead]) -> Heart:
    """Run the kernels over leads that begin together, a second at a time."""
    listeners = [_Listener(lead, number) for number, lead in enumerate(several)]
    length_s = max(len(lead.samples) / lead.rate_hz for lead in several)
    state, params = np.zeros(1, leads.STATE), np.array([leads.params()])
    parts = []
    for second in range(int(np.ceil(length_s)) + AFTER_S):
        events = np.concatenate([listener.listen(second) for listener in listeners])
        events["segment"] = second
        found = np.zeros(leads.capacity(len(events), 1), leads.FINDING)
        parts.append(found[: leads.advance(state, params, events, found)])
    heard = np.concatenate(parts)
    return Heart(several, heard[heard["time_ns"] < length_s * 1e9])


class _Listener:
    """One lead: its kernels' states, and how far it has come."""

    def __init__(self, lead: Lead, number: int) -> None:
        after = np.full(round(AFTER_S * lead.rate_hz) + 1, MISSING, np.int16)
        self._lead, self._number = lead, number
        self._samples = np.concatenate([lead.samples, after])
        self._quality, self._beats = np.zeros(1, quality.STATE), np.zeros(1, beats.STATE)
        self._quality_params = np.array([quality.params(lead.rate_hz, lead.scale_mv, ecg=True)])
        self._beats_params = np.array([beats.params(lead.rate_hz, lead.scale_mv)])

    def listen(self, second: int) -> NDArray[Any]:
        """Return what the lead says in a second of the record, and where it is at its end."""
        first, last = (round(edge * self._lead.rate_hz) for edge in (second, second + 1))
        samples = self._samples[first:last]
        mask = np.zeros(len(samples), np.uint8)
        segment = np.array([(0, 0, len(samples), second == 0)], codes.SEGMENT)
        ignored = np.zeros(quality.capacity(len(samples), 1), quality.FINDING)
        quality.advance(self._quality, self._quality_params, segment, samples, mask, ignored)
        raw = np.zeros(beats.capacity(len(samples), 1), beats.FINDING)
        count = beats.advance(self._beats, self._beats_params, segment, samples, mask, raw)
        return self._events(raw[:count], self._time_ns(last) - 1)

    def _events(self, raw: NDArray[Any], position_ns: int) -> NDArray[Any]:
        events = np.zeros(len(raw) + 1, codes.LEAD_EVENT)
        told, position = events[:-1], events[-1:]
        for name in ("kind", "flags", "value"):
            told[name] = raw[name]
        told["time_ns"], told["decided_ns"] = (
            self._time_ns(raw[name]) for name in ("sample", "decided")
        )
        marks = raw["kind"] == codes.MARK
        told["value"][marks] = np.rint(raw["value"][marks] * 1e9 / self._lead.rate_hz)
        position["kind"], position["time_ns"] = codes.POSITION, position_ns
        position["value"], position["flags"] = LAG_NS, self._number
        events["lead"] = self._number
        return events

    def _time_ns(self, sample: Any) -> Any:
        return np.rint(np.multiply(sample, 1e9 / self._lead.rate_hz)).astype(np.int64)
