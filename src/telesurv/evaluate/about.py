"""What an evaluation was made with: versions, commit, date. Nothing that names a machine."""

import importlib.metadata
import platform
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from telesurv import __version__
from telesurv_kernels.registry import KERNELS

ROOT = Path(__file__).parents[3]
"""Where the repository is, if this runs from one."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What gave the figures."""

    date: datetime
    telesurv: str
    commit: str  # short, with + where the code differed from it; "" where there is none
    python: str
    packages: dict[str, str]
    kernels: dict[str, int]  # VERSION of each

    def sentence(self) -> str:
        """Return it as a line of text."""
        parts = [f"telesurv {self.telesurv}", f"commit {self.commit or 'unknown'}"]
        parts += [f"{name} {version}" for name, version in self.packages.items()]
        parts += [f"kernel {name} {version}" for name, version in self.kernels.items()]
        return f"{self.date:%Y-%m-%d}, " + ", ".join(parts)


def about(kernels: Iterable[str]) -> About:
    """Return what an evaluation that runs these kernels is made with."""
    return About(
        date=datetime.now(UTC).replace(microsecond=0),
        telesurv=__version__,
        commit=_commit(),
        python=platform.python_version(),
        packages={name: importlib.metadata.version(name) for name in ("numpy", "numba")},
        kernels={name: KERNELS[name].VERSION for name in kernels},
    )


def _commit() -> str:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return ""

    def said(*words: str) -> str:
        command = [git, "-C", str(ROOT), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        return done.stdout.strip()

    try:
        commit = said("rev-parse", "--short", "HEAD")
        changed = said("status", "--porcelain", "--", "src", "streams", "kernels")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit + ("+" if changed else "")
