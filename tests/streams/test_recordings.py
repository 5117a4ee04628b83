"""Recordings as they are read: faults named, records as they came, what a replay sends."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recording_cases import SECOND, T0, frame, reading, rows, sequences, written
from telesurv_streams import recordings
from telesurv_streams.log import FRAMES, Misconfigured, Record
from telesurv_streams.parquet import Writer, merge
from telesurv_streams.parts import NoRecording, list_parts
from telesurv_streams.recordings import messages, read_merged
from telesurv_streams.wire import decode, encode


@pytest.fixture(autouse=True)
def _no_stray_descriptors() -> Iterator[None]:
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert (
        len(list(Path("/proc/self/fd").iterdir())) <= before + 16
    )  # other threads open and close some


# Whose fault


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(NoRecording, match=r"nothing: holds no part"):
        list(read_merged([tmp_path / "nothing"]))
    with pytest.raises(NoRecording, match=r"missing: no such file"):
        list(read_merged([tmp_path / "missing"]))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b""), "an empty file, expected a part"),
        (lambda path: path.write_bytes(b"PAR1" * 9), "36 bytes that are no complete Parquet"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "no complete Parquet"),
        (
            lambda path: pq.write_table(pa.table({"heart": [1, 2]}), path),
            "a Parquet file of columns heart, but no recording of telesurv",
        ),
        (
            lambda path: pq.write_table(
                pa.table({"a": [1]}).replace_schema_metadata(
                    {"telesurv-kind": "frames", "telesurv-version": "99"}
                ),
                path,
            ),
            "of version 99, expected version 1",
        ),
        (
            lambda path: pq.write_table(
                pa.table({"a": [1]}).replace_schema_metadata(
                    {"telesurv-kind": "frames", "telesurv-version": "1"}
                ),
                path,
            ),
            r"columns \['a'\], expected \['patient'",
        ),
    ],
)
def test_a_spoilt_part_is_named(tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    directory = written(tmp_path / "r", 4, 2)
    spoil(directory / "part-000001.parquet")
    with pytest.raises(NoRecording, match=said) as caught:
        list(read_merged([directory]))
    assert "part-000001.parquet" in str(caught.value)


def test_damage_inside_a_part_is_named(tmp_path: Path) -> None:
    directory = written(tmp_path / "r", 100, 100)
    path = directory / "part-000000.parquet"
    data = bytearray(path.read_bytes())
    (part,) = list_parts(directory)
    column = part.metadata.row_group(0).column(7)
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(NoRecording, match=r"part-000000.parquet: row group 0 cannot be read"):
        sequences([directory])


# Recordings of a topic


def record(
    offset: int, partition: int = 0, arrival: int | None = None, **changed: object
) -> Record:
    values: dict[str, object] = {
        "topic": FRAMES,
        "partition": partition,
        "offset": offset,
        "arrival_ns": T0 + offset * SECOND if arrival is None else arrival,
        "key": b"p-01",
        "value": encode([frame(offset)]),
        "headers": (("telesurv-frame", b"1"), ("telesurv-mode", b"replay")),
    }
    return Record(**(values | changed))  # type: ignore[arg-type]


def test_records_come_back_byte_for_byte_in_offset_order(tmp_path: Path) -> None:
    tick = record(2, value=None, key=None, headers=(("telesurv-kind", b"tick"),))
    junk = record(1, partition=1, value=b"\x00junk", headers=())
    given_ = [record(0), junk, tick, record(2, partition=1), record(3)]
    with Writer(tmp_path, "records") as writer:
        writer.append_records(given_)
    got = list(messages([tmp_path]))
    assert [(m.place, m.kind, m.mode) for m in got] == [
        ((0, 0), "frame", "replay"),
        ((1, 1), "frame", "live"),
        ((0, 2), "tick", "live"),
        ((1, 2), "frame", "replay"),
        ((0, 3), "frame", "replay"),
    ]
    by_place = {(r.partition, r.offset): r for r in given_}
    for message in got:
        assert message.place is not None
        r = by_place[message.place]
        assert message.outgoing == (r.topic, r.key, r.value, r.headers, None)
        assert message.arrival_ns == r.arrival_ns


def test_a_recorder_goes_on_where_it_was_synced(tmp_path: Path) -> None:
    with Writer(tmp_path, "records") as writer:
        writer.append_records([record(k) for k in range(5)])
        writer.append_records([record(7, partition=1)])
        assert writer.positions == {}  # nothing is durable yet
        writer.close_part()
        assert writer.positions == {f"{FRAMES}/0": 5, f"{FRAMES}/1": 8}
        writer.append_records([record(k) for k in range(5, 9)])
        writer.abandon()
    with Writer(tmp_path, "records") as writer:
        assert writer.positions == {f"{FRAMES}/0": 5, f"{FRAMES}/1": 8}
        writer.append_records([record(k) for k in range(3, 9)])  # some of them again
    merge(tmp_path)
    places = [m.place for m in messages([tmp_path])]
    assert places == [*((0, k) for k in range(8)), (1, 7), (0, 8)]
    with Writer(tmp_path, "records") as writer:
        assert writer.positions == {f"{FRAMES}/0": 9, f"{FRAMES}/1": 8}


def test_a_topic_is_there_to_be_read_after_a_minute_and_merged_at_the_end(tmp_path: Path) -> None:
    with Writer(tmp_path, "records") as writer:
        for k in range(600):
            writer.append_records([record(k)])
        seen = [m.place for m in messages([tmp_path])]
        assert seen == [(0, k) for k in range(len(seen))]
        assert len(seen) > 600 - 3 * 60
        assert len(list_parts(tmp_path)) > 4
    assert len(list_parts(tmp_path)) == 1
    assert [m.place for m in messages([tmp_path])] == [(0, k) for k in range(600)]


def test_a_brokers_clock_set_back_does_not_reorder(tmp_path: Path) -> None:
    with Writer(tmp_path, "records") as writer:
        writer.append_records([record(0), record(1), record(2, arrival=T0 - 5), record(3)])
    got = list(messages([tmp_path]))
    assert [m.place for m in got] == [(0, k) for k in range(4)]
    assert got[2].arrival_ns == got[1].arrival_ns


def test_kinds_are_not_mixed(tmp_path: Path) -> None:
    written(tmp_path / "a", 2, 2)
    with Writer(tmp_path / "b", "records") as writer:
        writer.append_records([record(0)])
    with pytest.raises(Misconfigured, match="read them apart"):
        read_merged([tmp_path])
    with pytest.raises(NoRecording, match="holds frames, expected records"):
        Writer(tmp_path / "a", "records")


# What a replay sends


def test_imported_frames_become_the_messages_of_a_log(tmp_path: Path) -> None:
    for patient in ("p-02", "p-01"):
        with Writer(tmp_path / patient) as writer:
            writer.append([frame(k, patient) for k in range(50)])
            writer.append([reading(k, patient) for k in range(50)], arrival_ns=T0 + 99 * SECOND)
    got = list(messages([tmp_path]))
    assert len(got) == 200
    assert [m.end_ns for m in got] == sorted(m.end_ns for m in got if m.end_ns)
    for message in got:
        outgoing = message.outgoing
        frames, malformed = decode([outgoing.value or b""])
        assert malformed == []
        ((patient, _, channel),) = frames.names
        assert outgoing.topic == FRAMES
        assert (b"p-02" in (outgoing.value or b"")) == (patient == "p-02")
        assert outgoing.key == patient.encode()
        assert outgoing.headers == (("telesurv-frame", b"1"),)
        assert message.arrival_ns == (None if channel == "ecg.II" else T0 + 99 * SECOND)
        assert frames.samples[0] == (97 if channel == "spo2" else frames.sequence[0])
    only = list(messages([tmp_path], patient="p-02"))
    assert only == [m for m in got if m.outgoing.key == b"p-02"]
    assert len(only) == 100
    assert list(messages([tmp_path], patient=["p-02", "p-01"])) == got


def test_one_patient_of_a_topic(tmp_path: Path) -> None:
    both = encode([frame(3, "p-01"), frame(3, "p-02"), reading(3, "p-02")])
    tick = (("telesurv-kind", b"tick"),)
    plan = (("telesurv-kind", b"plan"),)
    with Writer(tmp_path, "records") as writer:
        writer.append_records(
            [
                record(0),
                record(1, key=b"p-02", value=encode([frame(1, "p-02")])),
                record(2, key=b"gateway", value=both),
                record(3, key=None, value=None, headers=tick),
                record(4, key=b"gateway", value=b'{"patient": "p-01"}', headers=plan),
                record(5, key=b"gateway", value=b'{"patient": "p-02"}', headers=plan),
                record(6, value=b"junk"),
                record(7, key=None, value=b"[3]", headers=tick),
            ]
        )
    got = list(messages([tmp_path], patient="p-02"))
    assert [m.place for m in got] == [(0, 1), (0, 2), (0, 3), (0, 5), (0, 7)]
    assert got[1].outgoing.value == encode([frame(3, "p-02"), reading(3, "p-02")])
    got = list(messages([tmp_path], patient=("p-01", "p-02")))
    assert [m.place for m in got] == [(0, k) for k in (0, 1, 2, 3, 4, 5, 7)]
    assert got[2].outgoing.value == both


# Memory


GROWTH = """
import sys
from pathlib import Path
import numpy as np, psutil
from telesurv_streams.parquet import Writer, merge
from telesurv_streams.recordings import messages
from telesurv_streams.wire import Row
T0, me = 1_700_000_000_000_000_000, psutil.Process()
rng = np.random.default_rng(1)
noise = rng.integers(-2000, 2000, 1 << 20).astype(np.int16)
def write(directory, seconds):
    with Writer(directory) as writer:
        for k in range(0, seconds, 10):
            at = (k * 977) % 1_000_000
            writer.append([Row("p", "d", c, T0 + k * 10**9, 1000.0, 1.0, 0.0,
                               noise[at:at + 10_000], k) for c in ("ecg.I", "ecg.II")])
base = Path(sys.argv[1])
write(base / "small", 600)
merge(base / "small")
for m in messages([base / "small"]):
    pass
before = me.memory_info().rss
peak = before
write(base / "large", 27_000)
peak = max(peak, me.memory_info().rss)
merge(base / "large")
count = 0
for m in messages([base / "large"]):
    count += 1
    if count % 100 == 0:
        peak = max(peak, me.memory_info().rss)
print(count, (peak - before) / 2**20)
"""


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """108 MB of samples written, merged and read, within some tens of megabytes.

    Arrow's usual pool keeps what was freed, 20 MiB more or less from run to run.
    """
    told = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | told,
    )
    count, growth_mib = done.stdout.split()
    assert int(count) == 5400
    size = sum(p.stat().st_size for p in (tmp_path / "large").iterdir())
    assert size > 50 * 2**20
    assert float(growth_mib) < 80


def test_a_thousand_readings_of_one_instant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows of one instant than a window may hold still come, in their order."""
    monkeypatch.setattr(recordings, "_YIELD_BYTES", 4000)
    given_ = [reading(5, f"p-{i:04d}") for i in range(1000)]
    with Writer(tmp_path) as writer:
        writer.append(given_[::-1])
        writer.close_part()
        writer.append([reading(k) for k in range(100)])
    got = [r["patient"] for r in rows([tmp_path]) if r["patient"] != "p-01"]
    assert got == [r.patient for r in given_]
