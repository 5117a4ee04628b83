"""Importing: each job read, written aside, and put in place when it is complete."""

import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from telesurv.importers._find import Job, Unreadable, find_jobs
from telesurv.importers._rows import Signal
from telesurv.importers._source import Source, write_annotations
from telesurv_streams.frame import ROUTE_OR_PATIENT
from telesurv_streams.log import Misconfigured
from telesurv_streams.parquet import Writer
from telesurv_streams.parts import list_parts, sync_directory

Progress = Callable[[float, float, str], None]
"""Called with how many recordings are done (the last one in part), of how many, and which."""

REPORT_FILE = "import.json"


class SignalReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one signal."""

    name: str  # as the file spells it
    unit: str
    channel: str
    device: str
    recognised: bool
    rate_hz: float  # 0: single readings
    scale: float
    offset: float
    samples: int
    note: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one source."""

    source: str
    format: str = ""
    recording: str = ""  # the directory; "" where nothing was imported (`error`, or left out)
    patient: str = ""
    start: datetime | None = None
    dated: bool = False  # whether the file itself said when it began
    duration_s: float = 0.0
    rows: int = 0
    file_bytes: int = 0
    signals: tuple[SignalReport, ...] = ()
    annotations: dict[str, int] = {}  # annotator: how many
    notes: tuple[str, ...] = ()
    error: str = ""  # why nothing was imported

    def sentence(self) -> str:
        """Return what became of the source as text of a line, and one for each note."""
        if self.error:
            return f"{self.source}: not imported: {self.error}"
        if not self.recording:
            return f"{self.source}: {'; '.join(self.notes)}"
        channels = ", ".join(dict.fromkeys(s.channel for s in self.signals))
        begun = f"{self.start:%Y-%m-%dT%H:%M:%SZ}" if self.start else ""
        said = sum(self.annotations.values())
        text = (
            f"{self.source}: patient {self.patient}, {channels}, {_length(self.duration_s)} "
            f"from {begun}{'' if self.dated else ' (undated)'}"
            f"{f', {said} annotations' if said else ''}"
        )
        notes = [*self.notes, *(f"{s.name!r}: {s.note}" for s in self.signals if s.note)]
        return "\n".join((text, *(f"  {note}" for note in notes)))


def _length(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def import_recordings(
    sources: Iterable[Path],
    out: Path,
    *,
    patient: str | None = None,
    start_ns: int | None = None,
    mapping: Path | None = None,
    progress: Progress | None = None,
) -> list[Report]:
    """Import files, WFDB records (with or without suffix) and folders; return what became of each.

    A file that cannot be read is said in its report (`error`) and stops no other.

    Parameters
    ----------
    out : gets one directory for each recording, named after it
    patient : pseudonym of all of them; default: each recording's own name
    start_ns : start of recordings without a date, ns since 1970 UTC; default: 2000-01-01
    mapping : TOML file that says what the columns of CSV files are
    progress : called often

    Raises
    ------
    Unreadable
        for a source that does not exist, or in which there is nothing to import
    Misconfigured
        for a pseudonym or a mapping that cannot be
    """
    if patient is not None and not ROUTE_OR_PATIENT.fullmatch(patient):
        raise Misconfigured(
            f"--patient {patient!r} does not match {ROUTE_OR_PATIENT.pattern}: a pseudonym only"
        )
    jobs, left = find_jobs(sources, mapped=mapping is not None)
    if mapping is not None:
        from telesurv.importers._mapping import load

        load(mapping)
    out.mkdir(parents=True, exist_ok=True)
    reports = []
    for i, job in enumerate(jobs):

        def advance(done: float, i: int = i, job: Job = job) -> None:
            if progress is not None:
                progress(i + done, len(jobs), job.name)

        advance(0.0)
        try:
            reports.append(_import(job, out, patient, start_ns, mapping, advance))
        except Misconfigured as error:  # Unreadable is one
            reports.append(Report(source=str(job.path), format=job.format, error=str(error)))
        advance(1.0)
    why = ("left out: no known kind of file, and no mapping for it",)
    return reports + [Report(source=str(path), notes=why) for path in left if _data(path)]


def _data(path: Path) -> bool:
    """Whether a file that was left out is worth a word: tables and signals, not documents."""
    return path.name.lower().endswith((".csv", ".csv.gz", ".dat", ".mat", ".bdf", ".gdf"))


def _open(job: Job, start_ns: int | None, mapping: Path | None) -> Source:
    if job.format == "edf":
        from telesurv.importers.from_edf import EdfFile

        return EdfFile(job.path, start_ns)
    if job.format == "csv":
        from telesurv.importers.from_csv import CsvFile

        return CsvFile(job.path, start_ns, mapping)
    from telesurv.importers._annotations import Beats
    from telesurv.importers.from_wfdb import WfdbRecord, read_header

    if job.format == "beats" or not read_header(job.path).n_sig:
        return Beats(job.path, start_ns)
    return WfdbRecord(job.path, start_ns)


def _import(
    job: Job,
    out: Path,
    patient: str | None,
    start_ns: int | None,
    mapping: Path | None,
    advance: Callable[[float], None],
) -> Report:
    directory = out / _safe(job.name)
    if directory.exists():
        raise Misconfigured(
            f"{directory} exists already: remove it, or choose another place (--out)"
        )
    aside = out / f".importing-{directory.name}"
    shutil.rmtree(aside, ignore_errors=True)  # of an import that was killed
    try:
        source = _open(job, start_ns, mapping)
        named = source.patient_of(job.name)
        pseudonym = patient or _safe(named)
        if patient is None and pseudonym != named:
            source.notes.append(f"name {named!r} is no pseudonym: patient {pseudonym}")
        rows = 0
        with Writer(aside) as writer:
            for chunk in source.chunks(pseudonym):
                writer.append_batch(chunk.rows)
                rows += chunk.rows.num_rows
                advance(chunk.done)
        if not rows:
            raise Unreadable(f"{job.path}: holds no sample and no reading")
        report = _report(job, source, pseudonym, directory, aside)
        (aside / REPORT_FILE).write_bytes(
            msgspec.json.format(msgspec.json.encode(report), indent=2)
        )
        aside.rename(directory)
        sync_directory(out)
        return report
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _report(job: Job, source: Source, patient: str, directory: Path, aside: Path) -> Report:
    annotations = source.annotations()
    counts: dict[str, int] = {}
    if annotations is not None:
        write_annotations(annotations, aside)
        for annotator in annotations.column("annotator").to_pylist():
            counts[annotator] = counts.get(annotator, 0) + 1
    parts = list_parts(aside)
    end_ns = max(part.last_ns for part in parts)
    return Report(
        source=str(job.path),
        format=source.format,
        recording=str(directory),
        patient=patient,
        start=datetime.fromtimestamp(source.start_ns / 1e9, UTC),
        dated=source.dated,
        duration_s=(end_ns - source.start_ns) / 1e9,
        rows=sum(part.rows for part in parts),
        file_bytes=sum(part.file_bytes for part in parts),
        signals=tuple(_signal_report(signal) for signal in source.signals),
        annotations=counts,
        notes=tuple(source.notes),
    )


def _signal_report(signal: Signal) -> SignalReport:
    return SignalReport(
        name=signal.name,
        unit=signal.unit,
        channel=signal.channel.name,
        device=signal.device,
        recognised=signal.recognised,
        rate_hz=signal.rate_hz,
        scale=signal.scale,
        offset=signal.offset,
        samples=signal.samples,
        note=signal.note,
    )


def _safe(name: str) -> str:
    """Return a name as a pseudonym: other characters as _, at most 64."""
    safe = re.sub(r"[^A-Za-z0-9_.:-]", "_", name)[:64].lstrip(".")
    return safe or "recording"
