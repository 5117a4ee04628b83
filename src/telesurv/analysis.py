"""One pass of the kernels over a level: accepted pieces in, findings in device time out.

A *level* holds at most a few seconds of each timeline, so that the rings still hold what an
alert has to show. Compiled calls take all rows at once; Python here is per call.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from telesurv.cascade import Lines, lag_ns, listen, rows_of
from telesurv.table import PatientTable
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import quality, ring, spo2
from telesurv_streams.frame import sample_time_ns

PIECE_S = 2.5
"""Seconds of a timeline that the kernels take at once."""


@dataclass(slots=True)
class Pieces:
    """Accepted frames (or parts of long ones) of a level; one timeline's are in order."""

    timeline: NDArray[np.int64]
    first: NDArray[np.int64]  # samples[first:last]
    last: NDArray[np.int64]
    sample: NDArray[np.int64]  # index k of the first one in its timeline
    restart: NDArray[np.int64]
    anchor_sample: NDArray[np.int64]
    anchor_ns: NDArray[np.int64]
    frame_ns: NDArray[np.int64]  # length of the frame that it is of

    def end_ns(
        self, rate_hz: NDArray[np.float64], which: NDArray[np.int64] | slice = slice(None)
    ) -> NDArray[np.int64]:
        """Return the device time right after the last sample of some pieces."""
        past = self.sample + self.last - self.first - self.anchor_sample
        return sample_time_ns(self.anchor_ns[which], past[which], rate_hz)

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self.timeline)


@dataclass(slots=True)
class Found:
    """Findings in device time, to which piece and timeline each belongs, and how far hearts are."""

    finding: NDArray[Any]  # FINDING[n]
    piece: NDArray[np.int64]
    timeline: NDArray[np.int64]
    heart_ns: NDArray[np.int64]  # of each piece: all of its heart before is known; 0: no news


Part = tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]
"""FINDING[n], and the piece and timeline of each."""


def analyse(
    table: PatientTable, pieces: Pieces, samples: NDArray[np.int16], mask: NDArray[np.uint8]
) -> Found:
    """Run the kernels over pieces; states, rings and positions of their timelines advance.

    Parameters
    ----------
    samples, mask : int16, uint8 [n]; the mask is written where a quality kernel runs
    """
    link = rows_of(table.timelines["link"], pieces.timeline)
    heart_ns = np.zeros(len(pieces), np.int64)
    found = [
        _quality(table, pieces, link, samples, mask),
        _heart(table, pieces, link, samples, mask, heart_ns),
        _oxygen(table, pieces, link, samples),
    ]
    _remember(table, pieces, link, samples, mask)
    finding, piece, timeline = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Found(finding, piece, timeline, heart_ns)


def _segments(pieces: Pieces, which: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[Any]:
    segments = np.zeros(len(which), codes.SEGMENT)
    segments["row"], segments["restart"] = row[which], pieces.restart[which]
    segments["first"], segments["last"] = pieces.first[which], pieces.last[which]
    return segments


def _none() -> Part:
    none = np.zeros(0, np.int64)
    return np.zeros(0, codes.FINDING), none, none


def _quality(
    table: PatientTable,
    pieces: Pieces,
    link: NDArray[Any],
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
) -> Part:
    """Write the mask of the waveforms; return electrodes that came off or are back."""
    which = np.flatnonzero(link["wave"] >= 0)
    if not len(which):
        return _none()
    pool = table.wave
    segments = _segments(pieces, which, link["wave"])
    total = int((segments["last"] - segments["first"]).sum())
    raw = np.empty(quality.capacity(total, len(segments)), quality.FINDING)
    count = quality.advance(pool["state"], pool["params"], segments, samples, mask, raw)
    if not count:
        return _none()
    raw = raw[:count]
    timeline = pool["owner"][raw["row"]]
    finding = np.zeros(count, codes.FINDING)
    for name in ("row", "segment", "kind", "condition"):
        finding[name] = raw[name]
    for name in ("onset", "end", "detected"):
        finding[f"{name}_ns"] = table.device_time_ns(timeline, raw[name])
    finding["value"] = (finding["detected_ns"] - finding["onset_ns"]) / 1e9
    return finding, which[raw["segment"]], timeline


def _heart(
    table: PatientTable,
    pieces: Pieces,
    link: NDArray[Any],
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
    heart_ns: NDArray[np.int64],
) -> Part:
    """Find beats and what their rhythm says; write how far the hearts are to `heart_ns`."""
    which = np.flatnonzero(link["ecg"] >= 0)
    if not len(which):
        return _none()
    owner = table.ecg["owner"]
    mine = rows_of(link, which)
    lines = Lines(
        heart=mine["heart"],
        lead=mine["number"],
        rank=mine["rank"],
        end_ns=pieces.end_ns(mine["rate_hz"], which),
        lag_ns=lag_ns(pieces.frame_ns[which]),
        rate_hz=mine["rate_hz"],
    )
    heard = listen(
        table.ecg,
        table.heart,
        _segments(pieces, which, link["ecg"]),
        lines,
        samples,
        mask,
        lambda row, sample: table.device_time_ns(owner[row], sample),
    )
    heart_ns[which] = heard.reached_ns
    patients = table.heart["owner"][heard.finding["row"]].tolist()
    shown = zip(patients, heard.lead.tolist(), strict=True)
    of_heart = [table.timelines_of[patient][number] for patient, number in shown]
    finding = np.concatenate((heard.finding, heard.of_leads))
    timeline = np.concatenate((np.array(of_heart, np.int64), owner[heard.of_leads["row"]]))
    return finding, which[finding["segment"]], timeline


def _oxygen(
    table: PatientTable, pieces: Pieces, link: NDArray[Any], samples: NDArray[np.int16]
) -> Part:
    """Judge SpO2; every sample comes with its device time, single readings too."""
    which = np.flatnonzero(link["spo2"] >= 0)
    if not len(which):
        return _none()
    pool = table.spo2
    count = pieces.last[which] - pieces.first[which]
    last = np.cumsum(count)
    first = last - count
    piece = np.repeat(which, count)
    past = np.arange(last[-1]) - np.repeat(first, count)
    segments = _segments(pieces, which, link["spo2"])
    segments["first"], segments["last"] = first, last
    time_ns = sample_time_ns(
        pieces.anchor_ns[piece],
        pieces.sample[piece] + past - pieces.anchor_sample[piece],
        link["rate_hz"][piece],
    )
    finding = np.empty(spo2.capacity(len(piece), len(segments)), codes.FINDING)
    found = spo2.advance(
        pool["state"],
        pool["params"],
        segments,
        samples[pieces.first[piece] + past],
        time_ns,
        finding,
    )
    finding = finding[:found]
    return finding, which[finding["segment"]], pool["owner"][finding["row"]]


def _remember(
    table: PatientTable,
    pieces: Pieces,
    link: NDArray[Any],
    samples: NDArray[np.int16],
    mask: NDArray[np.uint8],
) -> None:
    """Fill the rings; the timelines' counts advance."""
    for size in np.unique(link["ring_size"]):
        which = np.flatnonzero(link["ring_size"] == size)
        if not size or not len(which):
            continue
        pool = table.rings[int(size)]
        segments = _segments(pieces, which, link["ring"])
        ring.push(pool["samples"], pool["reasons"], segments, pieces.sample[which], samples, mask)
    count = pieces.sample + pieces.last - pieces.first
    table.timelines["link"]["count"][pieces.timeline] = count
