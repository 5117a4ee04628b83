"""What there is to import: WFDB records, records of beats alone, EDF and CSV files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from telesurv_streams.log import Misconfigured

Format = Literal["wfdb", "beats", "edf", "csv"]

SIGNALS = frozenset({".dat", ".mat", ".flac"})
NO_ANNOTATIONS = frozenset(
    {
        *(".hea", ".dat", ".mat", ".flac", ".edf", ".bdf", ".csv", ".gz", ".txt", ".md", ".html"),
        *(".json", ".toml", ".xml", ".xws", ".pdf", ".png", ".svg", ".zip", ".parquet", ".py"),
        *(".sha256", ".hea-", ".asc", ".xls", ".xlsx", ".tmp"),
    }
)
"""Suffixes of files beside a record that hold no annotations."""


class Unreadable(Misconfigured):
    """A file that cannot be imported: what is in it, what was expected, and where."""


@dataclass(frozen=True, slots=True)
class Job:
    """One recording to import. `path` is the file, or a WFDB record's path without suffix."""

    format: Format
    path: Path
    name: str


def find_jobs(sources: Iterable[Path], mapped: bool) -> tuple[list[Job], list[Path]]:
    """Return what is to be imported, and the files in folders that are nothing of the kind.

    Parameters
    ----------
    sources : files, WFDB records with or without suffix, folders (searched to any depth)
    mapped : whether there is a mapping, so that any CSV file can be read

    Raises
    ------
    Unreadable
        for a source that does not exist or is nothing that can be imported
    """
    jobs: list[Job] = []
    left: list[Path] = []
    for source in sources:
        if source.is_dir():
            found, others = _in_folder(source, mapped)
            if not found:
                raise Unreadable(
                    f"{source}: no WFDB record (.hea, or annotations of beats), EDF or CSV file "
                    "with a known mapping in this folder"
                )
            jobs += found
            left += others
        else:
            jobs.append(_single(source))
    return _named_apart(list(dict.fromkeys(jobs))), left


def annotation_files(record: Path) -> list[Path]:
    """Return the files beside a WFDB record that may hold annotations, sorted."""
    beside = record.parent.glob(_escaped(record.name) + ".*")
    return sorted(
        p for p in beside if p.stem == record.name and p.suffix.lower() not in NO_ANNOTATIONS
    )


def is_annotation_file(path: Path) -> bool:
    """Whether a file ends as WFDB annotation files do, and has their even length."""
    size = path.stat().st_size
    if size < 4 or size % 2 or path.suffix.lower() in NO_ANNOTATIONS or not path.suffix:
        return False
    with path.open("rb") as file:
        file.seek(-2, 2)
        return file.read() == b"\0\0"


def _single(source: Path) -> Job:
    suffix = source.suffix.lower()
    if source.is_file():
        if not source.stat().st_size:
            raise Unreadable(f"{source}: an empty file")
        if suffix == ".edf":
            return Job("edf", source, source.stem)
        if suffix == ".csv" or source.name.lower().endswith(".csv.gz"):
            return Job("csv", source, _csv_name(source))
        record = source.with_suffix("")
        if Path(f"{record}.hea").is_file():
            return Job("wfdb", record, record.name)
        if suffix in SIGNALS:
            raise Unreadable(f"{source}: its header {record.name}.hea is missing beside it")
        if is_annotation_file(source):
            return Job("beats", record, record.name)
        raise Unreadable(
            f"{source}: neither a WFDB record, nor EDF, nor CSV (suffixes .hea, .edf, .csv)"
        )
    if Path(f"{source}.hea").is_file():
        return Job("wfdb", source, source.name)
    if any(is_annotation_file(path) for path in annotation_files(source)):
        return Job("beats", source, source.name)
    raise Unreadable(f"{source}: no such file, folder or WFDB record")


def _in_folder(folder: Path, mapped: bool) -> tuple[list[Job], list[Path]]:
    from telesurv.importers._mapping import recognise

    files = sorted(path for path in folder.rglob("*") if path.is_file())
    headers = {path.with_suffix("") for path in files if path.suffix == ".hea"}
    segments = {header.parent / name for header in headers for name in _segments(header)}
    jobs = [Job("wfdb", header, header.name) for header in sorted(headers - segments)]
    left: list[Path] = []
    beats: set[Path] = set()
    for path in files:
        suffix = path.suffix.lower()
        if suffix == ".edf":
            jobs.append(Job("edf", path, path.stem))
        elif suffix == ".csv" or path.name.lower().endswith(".csv.gz"):
            if mapped or recognise(path):
                jobs.append(Job("csv", path, _csv_name(path)))
            else:
                left.append(path)
        elif path.with_suffix("") in headers:
            continue  # a header, its signals or its annotations
        elif is_annotation_file(path):
            beats.add(path.with_suffix(""))
        else:
            left.append(path)
    return [*jobs, *(Job("beats", path, path.name) for path in sorted(beats))], left


def _segments(header: Path) -> list[str]:
    """Return the records that a multi-segment header consists of."""
    lines = Path(f"{header}.hea").read_text("utf-8", "replace").splitlines()
    content = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    if not content or "/" not in content[0][0]:
        return []
    return [fields[0] for fields in content[1:] if fields[0] != "~"]


def _csv_name(path: Path) -> str:
    name = path.name
    for suffix in (".gz", ".csv"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return name


def _named_apart(jobs: Sequence[Job]) -> list[Job]:
    """Give recordings of one name the names of their folders too."""
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job.name] = counts.get(job.name, 0) + 1
    return [
        job
        if counts[job.name] == 1
        else Job(job.format, job.path, f"{job.path.parent.name}.{job.name}")
        for job in jobs
    ]


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
