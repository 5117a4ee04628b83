"""The patient table: (mode, route, patient, partition) and timelines to rows of arrays."""

import hashlib
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from telesurv import cascade
from telesurv.alerts.model import Plan
from telesurv.plans import DEFAULT_PLAN, in_force, interval_s
from telesurv.pool import Pool
from telesurv_kernels import quality, ring, silence, spo2
from telesurv_streams.channels import ECG, ecg_rank
from telesurv_streams.channels import channel as channel_of
from telesurv_streams.frame import sample_time_ns
from telesurv_streams.timeline import TIMELINE

MODES = ("live", "replay", "demo")
"""Modes by code."""

UNKNOWN = -1

RANK_BITS = 40
"""Of a lead's rank: what orders leads that are equally good."""


class Key(NamedTuple):
    """Whose state it is: a replay, another route or partition never meets the live one."""

    mode: int
    route: str
    patient: str
    partition: int


PATIENT = np.dtype(
    [
        ("used", np.int64),
        ("mode", np.int64),
        ("partition", np.int64),
        ("held", np.int64),  # restored from a snapshot: records below only refill rings
        ("plan_version", np.int64),
        ("changes", np.int64),  # rises with whatever a checkpoint has to keep
        ("last_offset", np.int64),  # of the newest record that concerned the patient
        ("quarantined", np.int64),  # 1: frames are set aside
        ("first_offset", np.int64),  # of the first one since the patient is in this table
        # What the log durably holds of the patient, kept by `checkpoint`:
        ("saved_held", np.int64),  # the snapshot's held; -1: none yet
        ("saved_changes", np.int64),  # the value of changes in it
        ("saved_evidence", np.int64),  # first offset that its rings need; -1: it has them
        ("saved_s", np.float64),  # when it was made, by the worker's clock
    ]
)

LINK = np.dtype(
    [
        ("patient", np.int64),
        ("number", np.int64),  # of the patient's timelines, from 0
        ("heart", np.int64),  # row in `heart` of an ECG, else -1
        ("rank", np.int64),  # of an ECG lead, the smaller the better
        ("ecg", np.int64),  # row in `ecg`, else -1
        ("wave", np.int64),  # row in `wave` (quality), else -1
        ("spo2", np.int64),  # row in `spo2`, else -1
        ("ring_size", np.int64),  # capacity of its ring, 0: none yet
        ("ring", np.int64),  # row in rings[ring_size]
        ("ring_from", np.int64),  # the ring holds nothing from before this sample
        ("count", np.int64),  # samples analysed so far
        ("position_ns", np.int64),  # device time right after the last of them
        ("rate_hz", np.float64),  # settings that kernels and ring are made for; 0, 0, 0: none
        ("scale", np.float64),
        ("offset", np.float64),
    ]
)


# Patients have the same few settings and limits: each is made once.
_quality_params = lru_cache(quality.params)
_spo2_params = lru_cache(spo2.params)
_silence_params = lru_cache(silence.params)


def _rank(channel: str, device: str) -> int:
    """Return a number that orders ECG leads, whichever came first: the better one before."""
    name = hashlib.blake2b(f"{channel}\n{device}".encode(), digest_size=RANK_BITS // 8).digest()
    return ecg_rank(channel) << RANK_BITS | int.from_bytes(name)


def ring_pool(size: int) -> Pool:
    """Return the pool of rings of one capacity."""
    return Pool(
        samples=(np.int16, (size,)),
        reasons=(np.uint8, (size // 2,)),
        owner=(np.int64, ()),
    )


class PatientTable:
    """Every patient's rows. Kernels work on its columns, many patients a call."""

    def __init__(self) -> None:
        self.patients = Pool(
            info=(PATIENT, ()), silence=(silence.STATE, ()), silence_params=(silence.PARAMS, ())
        )
        self.timelines = Pool(
            state=(TIMELINE, ()),
            link=(LINK, ()),
            places=(ring.PLACE, (ring.PLACES_MAX,)),
            places_head=(np.int64, ()),
            anchors=(ring.ANCHOR, (ring.ANCHORS_MAX,)),
            anchors_head=(np.int64, ()),
        )
        self.wave = Pool(
            state=(quality.STATE, ()), params=(quality.PARAMS, ()), owner=(np.int64, ())
        )
        self.ecg = cascade.lead_pool()
        self.heart = cascade.heart_pool()
        self.spo2 = Pool(state=(spo2.STATE, ()), params=(spo2.PARAMS, ()), owner=(np.int64, ()))
        self.rings: dict[int, Pool] = {}
        self.keys: dict[Key, int] = {}
        self.key_of: dict[int, Key] = {}
        self.plan_of: dict[int, Plan] = {}
        self.timeline_of: dict[tuple[int, str, str], int] = {}
        self.name_of: dict[int, tuple[str, str]] = {}
        self.timelines_of: dict[int, list[int]] = {}
        self.heart_of: dict[int, int] = {}

    def patient(self, key: Key) -> int:
        """Return the row of a patient, made at the first call."""
        row = self.keys.get(key)
        if row is not None:
            return row
        row = self.patients.take()
        info = self.patients["info"]
        info[row]["used"], info[row]["mode"], info[row]["partition"] = 1, key.mode, key.partition
        for name in ("last_offset", "first_offset", "saved_held", "saved_evidence"):
            info[row][name] = -1
        self.keys[key], self.key_of[row], self.timelines_of[row] = row, key, []
        self.set_plan(row, DEFAULT_PLAN)
        return row

    def timeline(self, patient: int, device: str, channel: str) -> int:
        """Return the row of a timeline, made at the first call."""
        name = (patient, device, channel)
        row = self.timeline_of.get(name)
        if row is not None:
            return row
        row = self.timelines.take()
        link = self.timelines["link"]
        number = len(self.timelines_of[patient])
        link[row] = (patient, number, -1, 0, -1, -1, -1, 0, -1, 0, 0, 0, 0.0, 0.0, 0.0)
        known = channel_of(channel)
        # An ECG by any name: no lead may be judged without its quality.
        if channel.startswith(ECG) or (known is not None and known.kind == "waveform"):
            link[row]["wave"] = at = self.wave.take()
            self.wave["owner"][at] = row
        if channel.startswith(ECG):
            link[row]["ecg"] = at = self.ecg.take()
            self.ecg["owner"][at] = row
            link[row]["heart"], link[row]["rank"] = self._heart(patient), _rank(channel, device)
        elif channel == "spo2":
            link[row]["spo2"] = at = self.spo2.take()
            self.spo2["owner"][at] = row
        self.timeline_of[name], self.name_of[row] = row, (device, channel)
        self.timelines_of[patient].append(row)
        return row

    def _heart(self, patient: int) -> int:
        """Return the row of a patient's heart, taken with the first ECG lead."""
        row = self.heart_of.get(patient)
        if row is None:
            row = self.heart_of[patient] = self.heart.take()
            self.heart["owner"][row] = patient
            self._set_heart(patient)
        return row

    def rank(self, timeline: int) -> tuple[int, str, str]:
        """Return what orders a patient's timelines: the better ECG lead first."""
        device, channel = self.name_of[timeline]
        return (ecg_rank(channel), channel, device)

    def set_plan(self, patient: int, plan: Plan) -> None:
        """Let a plan's limits and intervals hold for a patient from now on."""
        self.plan_of[patient] = plan
        self.patients["info"][patient]["plan_version"] = plan.version
        self.patients["silence_params"][patient] = _silence_params(*interval_s(plan))
        if patient in self.heart_of:
            self._set_heart(patient)
        for timeline in self.timelines_of[patient]:
            if self.timelines["link"][timeline]["scale"]:
                self._set_limits(patient, timeline)

    def set_settings(self, timeline: int, rate: float, scale: float, offset: float) -> None:
        """Make the kernels' parameters and the ring for a timeline's rate and scale."""
        link = self.timelines["link"][timeline]
        if (link["rate_hz"], link["scale"], link["offset"]) == (rate, scale, offset):
            return
        link["rate_hz"], link["scale"], link["offset"] = rate, scale, offset
        link["ring_from"] = link["count"]  # older codes mean something else
        if link["wave"] >= 0:
            channel = self.name_of[timeline][1]
            # Single readings of a waveform are valid frames; they are judged as one a second.
            self.wave["params"][link["wave"]] = _quality_params(
                rate or 1.0, scale, offset, ecg=channel.startswith(ECG)
            )
        if link["ecg"] >= 0:
            cascade.set_rate(self.ecg, int(link["ecg"]), rate, scale)
        self._set_limits(int(link["patient"]), timeline)
        self._set_ring(timeline, ring.capacity(rate))

    def _set_heart(self, patient: int) -> None:
        limits = in_force(self.plan_of[patient].limits)
        cascade.set_limits(self.heart, self.heart_of[patient], limits)

    def _set_limits(self, patient: int, timeline: int) -> None:
        link = self.timelines["link"][timeline]
        limits = in_force(self.plan_of[patient].limits)
        if link["spo2"] >= 0:
            self.spo2["params"][link["spo2"]] = _spo2_params(
                float(link["scale"]),
                float(link["offset"]),
                limits.spo2_low,
                limits.spo2_severe,
            )

    def _set_ring(self, timeline: int, size: int) -> None:
        link = self.timelines["link"][timeline]
        if link["ring_size"] == size:
            return
        self._drop_ring(timeline)
        pool = self.rings.get(size)
        if pool is None:
            pool = self.rings[size] = ring_pool(size)
        link["ring_size"], link["ring"] = size, pool.take()
        pool["owner"][link["ring"]] = timeline

    def _drop_ring(self, timeline: int) -> None:
        link = self.timelines["link"][timeline]
        if link["ring_size"]:
            self.rings[int(link["ring_size"])].give_back(int(link["ring"]))
            link["ring_size"], link["ring"] = 0, -1

    def drop(self, patient: int) -> None:
        """Forget a patient."""
        for timeline in self.timelines_of.pop(patient):
            link = self.timelines["link"][timeline].copy()
            self._drop_ring(timeline)
            for pool, column in ((self.wave, "wave"), (self.ecg, "ecg"), (self.spo2, "spo2")):
                if link[column] >= 0:
                    pool.give_back(int(link[column]))
            device, channel = self.name_of.pop(timeline)
            del self.timeline_of[patient, device, channel]
            self.timelines.give_back(timeline)
        if patient in self.heart_of:
            self.heart.give_back(self.heart_of.pop(patient))
        del self.keys[self.key_of.pop(patient)]
        del self.plan_of[patient]
        self.patients.give_back(patient)

    def in_partition(self, partition: int, mode: int | None = None) -> NDArray[np.int64]:
        """Return the rows of a partition's patients."""
        info = self.patients["info"][: self.patients.used]
        chosen = (info["used"] == 1) & (info["partition"] == partition)
        if mode is not None:
            chosen &= info["mode"] == mode
        return np.flatnonzero(chosen)

    def device_time_ns(
        self, timeline: NDArray[np.int64], sample: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return the device time of samples by the anchors that were in force for them."""
        anchor_sample, anchor_ns = np.zeros_like(sample), np.zeros_like(sample)
        lines = self.timelines
        ring.anchor_of(
            lines["anchors"], lines["anchors_head"], timeline, sample, anchor_sample, anchor_ns
        )
        rate = lines["link"]["rate_hz"][timeline]
        return sample_time_ns(anchor_ns, sample - anchor_sample, rate)

    @property
    def nbytes(self) -> int:
        """Return the bytes that all rows occupy."""
        pools = [self.patients, self.timelines, self.wave, self.ecg, self.heart, self.spo2]
        return sum(pool.nbytes for pool in (*pools, *self.rings.values()))


def remembered(row: NDArray[Any], head: int) -> NDArray[Any]:
    """Return the entries of a small ring of structs, oldest first."""
    return row[np.arange(max(0, head - len(row)), head) % len(row)]
