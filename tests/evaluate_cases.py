"""WFDB records with marks, written for a test, and the command that scores them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb
from numpy.typing import NDArray

from telesurv.cli import main


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", *map(str, words)])
    written = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, written.out, written.err


def write(folder: Path, name: str, codes: NDArray[Any], rate_hz: float, scale_mv: float) -> None:
    folder.mkdir(exist_ok=True)
    wfdb.wrsamp(
        name,
        fs=rate_hz,
        units=["mV"],
        sig_name=["II"],
        d_signal=codes.astype(np.int64).reshape(-1, 1),
        fmt=["16"],
        adc_gain=[1 / scale_mv],
        baseline=[0],
        write_dir=str(folder),
    )


def mark(folder: Path, name: str, samples: NDArray[Any], symbols: list[str]) -> None:
    order = np.argsort(samples, kind="stable")
    told = [symbols[i] for i in order]
    wfdb.wrann(name, "atr", samples[order].astype(np.int64), symbol=told, write_dir=str(folder))
