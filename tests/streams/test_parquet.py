"""Recordings: rows come back in order whatever wrote, merged or crashed meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recording_cases import SECOND, T0, frame, reading, rows, sequences, written
from telesurv_streams import parquet, parts, recordings
from telesurv_streams.frame import DISK_SCHEMA
from telesurv_streams.log import Misconfigured
from telesurv_streams.parquet import Writer, merge
from telesurv_streams.parts import NoRecording, list_parts
from telesurv_streams.recordings import find, read_merged


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


def test_a_part_is_synced_before_it_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file before its rename, the directory after it."""
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def syncing(descriptor: int) -> None:
        steps.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def renaming(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(Path, "rename", renaming)
    written(tmp_path / "r", 2, 2)
    assert steps == ["part-000000.parquet.tmp", "rename", "r"]


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


@pytest.fixture(autouse=True)
def _no_stray_descriptors() -> Iterator[None]:
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert (
        len(list(Path("/proc/self/fd").iterdir())) <= before + 16
    )  # other threads open and close some
