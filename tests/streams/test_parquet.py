"""Recordings: rows come back in order whatever wrote, merged or crashed meanwhile."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telesurv_streams import parquet, parts, recordings
from telesurv_streams.frame import DISK_SCHEMA
from telesurv_streams.log import FRAMES, Misconfigured, Record
from telesurv_streams.parquet import Writer, merge
from telesurv_streams.parts import NoRecording, list_parts
from telesurv_streams.recordings import find, messages, read_merged
from telesurv_streams.wire import Row, decode, encode

T0 = 1_700_000_000_000_000_000
SECOND = 10**9


def frame(k: int, patient: str = "p-01", channel: str = "ecg.II", n: int = 250) -> Row:
    """The k-th second of a channel, its samples telling which one it is."""
    samples = np.full(n, k % 30_000, np.int16)
    return Row(patient, "dev", channel, T0 + k * SECOND, float(n), 0.005, 0.0, samples, k)


def reading(k: int, patient: str = "p-01", value: int = 97) -> Row:
    return Row(
        patient, "dev", "spo2", T0 + k * SECOND, 0.0, 1.0, 0.0, np.array([value], np.int16), k
    )


def rows(paths: list[Path]) -> list[dict[str, object]]:
    return [row for table in read_merged(paths) for row in table.to_pylist()]


def sequences(paths: list[Path]) -> list[int]:
    return [n for t in read_merged(paths) for n in t.column("sequence").to_pylist()]


def written(directory: Path, count: int, per_part: int) -> Path:
    with Writer(directory) as writer:
        for k in range(count):
            writer.append([frame(k)])
            if k % per_part == per_part - 1:
                writer.close_part()
    return directory


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    given_ = [frame(0), reading(0), frame(1, n=500), reading(1, value=-32768)]
    with Writer(tmp_path / "r") as writer:
        writer.append(given_, arrival_ns=T0 + 5)
    got = rows([tmp_path / "r"])
    assert len(got) == 4
    assert {(r["channel"], r["sequence"]) for r in got} == {
        *(("ecg.II", 0), ("ecg.II", 1), ("spo2", 0), ("spo2", 1))
    }
    by_place = {(r["channel"], r["sequence"]): r for r in got}
    one = by_place["ecg.II", 1]
    assert one["samples"] == [1] * 500
    assert one["rate"] == 500.0
    assert one["start"].value == T0 + SECOND  # type: ignore[attr-defined]
    assert one["arrival"].value == T0 + 5  # type: ignore[attr-defined]
    assert one["scale"] == float(np.float32(0.005))
    for table in read_merged([tmp_path / "r"]):
        assert table.schema.equals(DISK_SCHEMA)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from("abc"), st.sampled_from(["ppg", "spo2"])),
        unique=True,
        max_size=40,
    ),
    st.lists(st.integers(0, 40)),
    st.integers(1, 3),
)
def test_order_depends_on_the_rows_alone(
    tmp_path_factory: pytest.TempPathFactory,
    places: list[tuple[int, str, str]],
    cuts: list[int],
    directories: int,
) -> None:
    """Any order of writing, any parts, any number of recordings: one order of reading."""
    base = tmp_path_factory.mktemp("r")
    all_rows = [
        reading(k, p) if channel == "spo2" else frame(k, p, channel) for k, p, channel in places
    ]
    for i in range(directories):
        with Writer(base / f"{i}") as writer:
            for j, row in enumerate(all_rows[i::directories]):
                writer.append([row])
                if j in cuts:
                    writer.close_part()
    ends = [r.start_ns + (SECOND if r.rate_hz else 0) for r in all_rows]
    expected = sorted(
        (end, r.start_ns, r.patient, r.device, r.channel, r.sequence)
        for end, r in zip(ends, all_rows, strict=True)
    )
    if not all_rows:
        with pytest.raises(NoRecording, match="no part"):
            list(read_merged([base]))
        return
    got = [(r["patient"], r["channel"], r["sequence"]) for r in rows([base])]
    assert got == [(e[2], e[4], e[5]) for e in expected]
    for directory in find([base]):
        merge(directory)
        assert len(list_parts(directory)) == 1
    assert [(r["patient"], r["channel"], r["sequence"]) for r in rows([base])] == got


def test_a_later_writer_goes_on(tmp_path: Path) -> None:
    directory = written(tmp_path / "r", 10, 4)
    with Writer(directory) as writer:
        writer.append([frame(k) for k in range(10, 15)])
    assert sequences([directory]) == list(range(15))
    assert [p.path.name for p in list_parts(directory)] == [
        f"part-00000{i}.parquet" for i in range(4)
    ]


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with Writer(tmp_path), pytest.raises(Misconfigured, match="another process writes"):
        Writer(tmp_path)
    with Writer(tmp_path), pytest.raises(Misconfigured, match="another process writes"):
        merge(tmp_path)
    Writer(tmp_path).close()


def test_a_reader_beside_the_writer_sees_every_finished_part(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        writer.append([frame(0)])
        with pytest.raises(NoRecording, match=r"no (finished )?part"):
            sequences([tmp_path])
        for k in range(1, 6):
            writer.close_part()
            assert sequences([tmp_path]) == list(range(k))
            writer.append([frame(k)])


def test_an_exception_leaves_what_was_finished(tmp_path: Path) -> None:
    def fail() -> None:
        with Writer(tmp_path) as writer:
            writer.append([frame(k) for k in range(100)])
            writer.close_part()
            writer.append([frame(k) for k in range(100, 300)])
            raise Crash

    with pytest.raises(Crash):
        fail()
    assert sequences([tmp_path]) == list(range(100))
    assert [p.name for p in tmp_path.iterdir()] == ["part-000000.parquet"]


def test_parts_and_groups_close_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_BYTES_MIN", 1000)
    monkeypatch.setattr(parquet, "PART_BYTES_MIN", 1000)
    with Writer(tmp_path) as writer:
        for k in range(0, 3 * 3600, 10):
            writer.append([frame(k)])
    parts_ = list_parts(tmp_path)
    assert len(parts_) == 3
    assert parts_[0].metadata.num_row_groups == pytest.approx(52, abs=9)
    assert sequences([tmp_path]) == list(range(0, 3 * 3600, 10))


def test_late_rows_open_a_part_of_their_own(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        writer.append([frame(k) for k in range(1000, 1600)])
        writer.append([frame(k) for k in range(600)])
    assert sequences([tmp_path]) == [*range(600), *range(1000, 1600)]


def test_on_disk_as_designed(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    with Writer(tmp_path) as writer:
        for k in range(0, 600, 10):
            samples = np.cumsum(rng.integers(-3, 4, 2500)).astype(np.int16)
            writer.append([frame(k)._replace(samples=samples)])
    (part,) = list_parts(tmp_path)
    group = part.metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    samples_ = columns["samples.list.element"]
    assert samples_.compression == "ZSTD"
    assert "DELTA_BINARY_PACKED" in samples_.encodings
    assert part.metadata.num_row_groups > 5
    assert part.file_bytes * 8 / (60 * 2500) < 6


# Merging


@pytest.mark.parametrize("yielded", [0, 1, 2])
def test_merging_under_a_reader_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yielded: int
) -> None:
    directory = written(tmp_path / "r", 400, 3)
    relisted = []
    relist = recordings._Merge._relist
    monkeypatch.setattr(
        recordings._Merge, "_relist", lambda *args: (relisted.append(args), relist(*args))
    )
    reader = read_merged([directory])
    got = [n for _ in range(yielded) for n in next(reader).column("sequence").to_pylist()]
    assert len(got) < 400
    assert merge(directory, file_bytes_max=60_000) > 100
    got += [n for t in reader for n in t.column("sequence").to_pylist()]
    assert got == list(range(400))
    assert relisted


def test_merging_twice_under_a_reader(tmp_path: Path) -> None:
    directory = written(tmp_path / "r", 60, 3)
    reader = read_merged([directory])
    merge(directory, 40_000)
    merge(directory)
    assert len(list_parts(directory)) == 1
    assert [n for t in reader for n in t.column("sequence").to_pylist()] == list(range(60))


class Crash(Exception):
    pass


@pytest.mark.parametrize("survived", range(8))
def test_a_crash_at_any_step_of_a_merge_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    directory = written(tmp_path / "r", 60, 12)
    steps = iter([True] * survived)

    def dying(method: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **kwargs: object) -> object:
            if not next(steps, False):
                raise Crash
            return method(*args, **kwargs)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dying(Path.rename))
        patch.setattr(Path, "unlink", dying(Path.unlink))
        patch.setattr(parts.PartFile, "write", dying(parts.PartFile.write))
        patch.setattr(
            parts.PartFile, "discard", lambda self: (self._writer.close(), self._file.close())
        )
        try:
            merge(directory)
        except Crash:
            assert survived < 7
    assert sequences([directory]) == list(range(60))
    with Writer(directory) as writer:
        writer.append([frame(60)])
    merge(directory)
    assert sequences([directory]) == list(range(61))
    assert len(list(directory.iterdir())) == 1


# Killed


CHILD = """
import sys
from pathlib import Path
import numpy as np
from telesurv_streams.parquet import Writer
from telesurv_streams.wire import Row
T0 = 1_700_000_000_000_000_000
with Writer(Path(sys.argv[1])) as writer:
    k = first = int(sys.argv[2])
    while True:
        samples = np.full(250, k % 30_000, np.int16)
        writer.append([Row("p-01", "dev", "ecg.II", T0 + k * 10**9, 250.0, 1.0, 0.0, samples, k)])
        k += 1
        if k % 20 == 0:
            writer.close_part()
            print(k, flush=True)
"""


def test_a_writer_that_is_killed_leaves_every_finished_part(tmp_path: Path) -> None:
    """Real processes, SIGKILL in the middle of writing, four times; each goes on with the rest."""
    directory = tmp_path / "r"
    done = 0
    for delay_s in (0.0, 0.013, 0.031, 0.057):
        command = [sys.executable, "-c", CHILD, str(directory), str(done)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            finished = [int(child.stdout.readline()) for _ in range(3)]
            time.sleep(delay_s)
            child.send_signal(signal.SIGKILL)
            finished += [int(line) for line in child.stdout.read().splitlines()]
        got = sequences([directory])
        assert got == list(range(len(got)))
        assert len(got) >= finished[-1]
        done = len(got)
    with Writer(directory):
        pass
    merge(directory)
    assert sequences([directory]) == list(range(done))
    assert [p.suffix for p in directory.iterdir()] == [".parquet"]


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
                record(3, key=None, value=b"", headers=tick),
                record(4, value=b"{}", headers=plan),
                record(5, key=b"p-02", value=b"{}", headers=plan),
                record(6, value=b"junk"),
            ]
        )
    got = list(messages([tmp_path], patient="p-02"))
    assert [m.place for m in got] == [(0, 1), (0, 2), (0, 3), (0, 5)]
    assert got[1].outgoing.value == encode([frame(3, "p-02"), reading(3, "p-02")])


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
    """108 MB of samples written, merged and read, within some tens of megabytes."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(tmp_path)], capture_output=True, text=True, check=True
    )
    count, growth_mib = done.stdout.split()
    assert int(count) == 5400
    size = sum(p.stat().st_size for p in (tmp_path / "large").iterdir())
    assert size > 50 * 2**20
    assert float(growth_mib) < 80


@pytest.fixture(autouse=True)
def _no_stray_descriptors() -> Iterator[None]:
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


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
