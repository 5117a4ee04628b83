"""The results as text: what the README quotes, with ratios to the peers of the same run."""

from typing import Any

from benchmarks import agreement_table, ecg_table, monitor_table
from benchmarks.markdown import about, middle, table

LOOP = {"neurokit2": "consumer loop, NeuroKit2", "sleepecg": "consumer loop, SleepECG"}
ALONE = {"neurokit2": "NeuroKit2 on 10 s windows", "sleepecg": "SleepECG on 10 s windows"}


def markdown(results: dict[str, Any]) -> str:
    """Everything, as one page."""
    parts = ["# Results\n", "Written by `make bench`; how: [benchmarks/README.md](../README.md).\n"]
    for name, write in (
        ("engine", _engine),
        ("worker", _worker),
        ("startup", _startup),
        ("memory", _memory),
        ("ecg", ecg_table.page),
        ("agreement", agreement_table.page),
        ("monitor", monitor_table.page),
    ):
        if name in results:
            parts += [*write(results[name]), about(results[name])]
    return "\n".join(parts)


def short(results: dict[str, Any]) -> str:
    """What one wants to know first."""
    lines = []
    if "engine" in results:
        rate = results["engine"]["telesurv"]["as it comes"]["median"]
        lines.append(f"engine alone: {rate:,.0f} patient-seconds a CPU-second")
    if "worker" in results:
        rate = results["worker"]["telesurv"]["per_cpu_s"]["median"]
        lines.append(f"worker on Kafka: {rate:,.0f} patient-seconds a CPU-second")
    if "ecg" in results:
        lines.append(ecg_table.short(results["ecg"]))
    if "agreement" in results:
        lines.append(agreement_table.short(results["agreement"]))
    if "monitor" in results:
        lines.append(monitor_table.short(results["monitor"]))
    return "\n".join(lines)


def _times(base: float, peer: dict[str, float]) -> str:
    return f"{base / peer['median']:.1f} times as fast"


def _engine(found: dict[str, Any]) -> list[str]:
    ours = found["telesurv"]
    base = ours["as it comes"]["median"]
    orders = {
        "as it comes": f"**engine alone**, batches of {ours['batch']}",
        "as it comes, 100 a batch": "engine alone, batches of 100",
        "catching up": f"engine alone, catching up, batches of {ours['batch']}",
    }
    rows = [[text, middle(ours[name]), ""] for name, text in orders.items()]
    for name, text in ALONE.items():
        spread = found[name]["per_cpu_s"]
        rows.append([text, middle(spread), _times(base, spread)])
    kernels = [
        [name, f"{kernel['ns']:.1f}", f"{kernel['us']:.2f}"]
        for name, kernel in ours["kernels"].items()
    ]
    return [
        "## The engine alone\n",
        "Patient-seconds (ECG 250 Hz, PPG 125 Hz, SpO2) a CPU-second, from a record's bytes to "
        f"alerts: {ours['patients']} patients, {ours['seconds']} s. The peers get arrays of ECG, "
        "and only find R-peaks.\n",
        table(["", "patient-seconds / CPU s", "telesurv is"], rows),
        f"Decoding one message: {middle(ours['decode_us'], 1)} µs where one like it was seen "
        f"before, {middle(ours['decode_unknown_us'], 1)} µs where not. Kernels, one call for a "
        "batch of rows:\n",
        table(["kernel", "ns a sample (rhythm: an event)", "µs a patient-second"], kernels),
    ]


def _worker(found: dict[str, Any]) -> list[str]:
    ours = found["telesurv"]
    base = ours["per_cpu_s"]["median"]
    rows = [["**worker**, checkpoints included", middle(ours["per_cpu_s"]), ""]]
    rows.append(
        ["worker, each message a batch of its own", middle(found["alone"]["per_cpu_s"]), ""]
    )
    for name, text in LOOP.items():
        spread = found[name]["per_cpu_s"]
        rows.append([text, middle(spread), _times(base, spread)])
    used_us = 1e6 / base
    parts = [
        [name, f"{part_us:.1f}", f"{part_us / used_us:.0%}"]
        for name, part_us in ours["parts_us"].items()
    ]
    return [
        "## The worker on Kafka, end to end\n",
        "Patient-seconds a CPU-second of the consuming process, from bytes on the log to alerts "
        "on the log, one patient-second a message; every patient saved once in 30 s of theirs.\n",
        table(["", "patient-seconds / CPU s", "telesurv is"], rows),
        f"Where the worker's CPU goes ({ours['snapshots']:,} snapshots, median "
        f"{ours['snapshot_bytes']:,} bytes, {ours['alerts']} revisions of alerts):\n",
        table(["", "µs a patient-second", "share"], parts),
    ]


def _startup(found: dict[str, Any]) -> list[str]:
    rows = [
        [name, middle(case["wall_s"], 1), middle(case["cpu_s"], 1), middle(case["peak_mib"])]
        for name, case in found.items()
        if name not in ("about", "quick")
    ]
    return [
        "## From nothing to the first answer\n",
        "A process that imports, compiles (cold) or loads (warm) its kernels, and analyses "
        "something; the peers import kafka-python and their detector.\n",
        table(["", "wall s", "CPU s", "peak MiB"], rows),
    ]


def _memory(found: dict[str, Any]) -> list[str]:
    ours, peer = found["telesurv"], found["consumer loop"]
    kib = 1 / 1024
    rows = [
        ["**telesurv**, resident", f"{ours['bytes'] * kib:.1f}"],
        ["telesurv, rows of the table", f"{ours['arrays_bytes'] * kib:.1f}"],
        ["consumer loop, windows of the ECG alone", f"{peer['bytes'] * kib:.1f}"],
    ]
    snapshots = [
        [
            name,
            f"{ours[name]['bytes'] * kib:.1f}",
            f"{ours[name]['bytes_max'] * kib:.1f}",
            f"{ours[name]['made_us']:.0f}",
            f"{ours[name]['read_us']:.0f}",
        ]
        for name in ("snapshot", "snapshot with rings")
    ]
    return [
        "## Memory and state of a patient\n",
        f"{ours['patients']} patients; the process itself takes "
        f"{ours['process_bytes'] / 2**20:.0f} MiB.\n",
        table(["", "KiB a patient"], rows),
        table(["", "median KiB", "largest KiB", "µs to make", "µs to restore"], snapshots),
    ]
