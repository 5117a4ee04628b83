"""R-peak detectors side by side, and what the cascade costs: as text."""

from typing import Any

from benchmarks.ecg_detectors import ALONE, CHUNK_S, OURS
from benchmarks.ecg_records import HOLE
from benchmarks.markdown import middle, table

TITLES = {"mitdb": "MIT-BIH", "noise": "with noise", "excerpts": "excerpts"}


def f1(counts: list[int]) -> float:
    """Return F1 in percent."""
    found, missed, invented = counts
    return 200 * found / max(2 * found + missed + invented, 1)


def rates(counts: list[int]) -> str:
    """Return sensitivity and positive predictivity in percent."""
    found, missed, invented = counts
    return (
        f"{100 * found / max(found + missed, 1):.2f} / {100 * found / max(found + invented, 1):.2f}"
    )


def change(detector: dict[str, Any], way: str) -> float:
    """Return what F1 over all folders loses against the whole, on the same records."""
    before, after = detector["counts_of_sample"], detector["counts"][way]
    return f1(total(after)) - f1(total(before))


def total(of_folder: dict[str, list[int]]) -> list[int]:
    """Return the sum over folders."""
    return [sum(counts) for counts in zip(*of_folder.values(), strict=True)]


def short(found: dict[str, Any]) -> str:
    """Return the lines that one wants to know first."""
    speed = {name: one["msamples_per_s"] for name, one in found["detectors"].items()}
    ours, alone, theirs = speed[OURS], speed[ALONE], speed["SleepECG"]
    cascade = found["cost"]["speed"]["msamples_per_s"]["median"]
    return (
        f"R-peaks: {ours['whole']:.0f} Msamples/s, {ours['whole'] / theirs['whole']:.1f} times "
        f"SleepECG ({alone['whole'] / theirs['whole']:.1f} times without the mask, "
        f"{ours['cut'] / theirs['cut']:.1f} times live)\nECG cascade: {cascade:.0f} Msamples/s"
    )


def page(found: dict[str, Any]) -> list[str]:
    """Return the section of the page."""
    return [*_detectors(found), *_cascade(found["cost"])]


def _detectors(found: dict[str, Any]) -> list[str]:
    detectors = found["detectors"]
    ours = detectors[OURS]
    folders = list(ours["counts"]["whole"])
    sampled = {
        name for name, one in detectors.items() if one["records"]["cut"] < ours["records"]["cut"]
    }
    rows = []
    for name, one in detectors.items():
        speed = one["msamples_per_s"]
        shown = f"**{name}**" if name == OURS else name
        row = [shown + ("¹" if name in sampled else "")]
        for folder in folders:
            counts = one["counts"]["whole"][folder]
            row += [rates(counts), f"{f1(counts):.2f}"]
        row += [f"{change(one, 'cut'):+.2f}", f"{change(one, 'holes'):+.2f}"]
        row += [f"{speed['whole']:.3g}", f"{speed['cut']:.3g}", f"{one['growth_mib']:.0f}"]
        rows.append(row)
    head = ["R-peaks, first lead"]
    for folder in folders:
        head += [f"{TITLES[folder]}: Se / +P %", "F1"]
    head += [f"F1, {CHUNK_S} s at a time", "F1, holes", "Msamples/s", "in pieces", "MiB"]
    few = detectors[next(iter(sampled))]["records"]["cut"] if sampled else 0
    note = f"¹ Slow: in pieces and with holes on {few} of the records only.\n\n" if few else ""
    batch_ns = sum(found["cost"]["speed"]["kernels_ns"][name] for name in ("quality", "beats"))
    leads, state_kib = (
        found["cost"]["speed"]["leads"],
        found["cost"]["memory"]["r_peaks_bytes"] / 1024,
    )
    return [
        "## R-peaks beside other detectors\n",
        f"{ours['records']['whole']} records, EC57 rules, gross; one core. *{CHUNK_S} s at a "
        "time*: a batch detector called on one piece after the other, as a live stream needs it; "
        "ours gets one second at a time and gives the same findings to the byte. Both columns say "
        f"how F1 changes. *Holes*: {HOLE} missing samples a minute. *Mask given*: R-peaks alone, "
        "as peers do not say what is readable; ours makes that mask first. *MiB*: how far "
        "the process grows for half an hour of one lead at once.\n",
        table(head, rows),
        note + f"In a service, a second of {leads} leads a call, quality and beats make "
        f"{1000 / batch_ns:.0f} Msamples/s, and a lead's state takes {state_kib:.1f} KiB.\n",
        "![Speed against accuracy](../../pictures/speed-f1.svg)\n",
    ]


def _cascade(cost: dict[str, Any]) -> list[str]:
    speed, worst, memory = cost["speed"], cost["worst"], cost["memory"]
    kernels = [[name, f"{ns:.1f}"] for name, ns in speed["kernels_ns"].items()]
    plain_us = worst["signals"]["recordings"]["ns_a_sample"]
    hostile = [
        [
            name,
            f"{one['ns_a_sample']:.1f}",
            f"{one['median_us']:,.0f}",
            f"{one['p999_us']:,.0f}",
            f"{one['worst_us']:,.0f}",
            f"{one['ns_a_sample'] / plain_us:.2f}",
        ]
        for name, one in worst["signals"].items()
    ]
    parts = [[name, f"{size / 1024:.1f}"] for name, size in memory["parts"].items()]
    compiled = [
        [name, middle(one["wall_s"], 1), middle(one["cpu_s"], 1)]
        for name, one in cost["compilation"].items()
    ]
    return [
        "## The whole ECG cascade\n",
        f"Quality, beats and everything that hears of them, {speed['leads']} leads of the "
        f"recordings a second at a time: **{middle(speed['msamples_per_s'], 1)} Msamples a "
        "CPU-second**.\n",
        table(["kernel", "ns a sample"], kernels),
        f"Signals of full scale, {worst['leads']} leads and one second a batch, "
        f"{worst['batches']:,} batches; the lesser of two passes over the same batch, so that the "
        "machine's other work is not in it:\n",
        table(
            ["signal", "ns a sample", "median µs", "p99.9 µs", "worst µs", "times recordings"],
            hostile,
        ),
        f"Memory of a lead at {memory['rate_hz']:g} Hz: **{memory['bytes'] / 1024:.1f} KiB**; a "
        f"patient with one lead takes {memory['checkpoint_bytes'] / 1024:.1f} KiB in a checkpoint, "
        f"{memory['checkpoint_with_ring_bytes'] / 1024:.1f} KiB with the ring.\n",
        table(["part", "KiB"], parts),
        "From nothing to the first second analysed:\n",
        table(["", "wall s", "CPU s"], compiled),
    ]
