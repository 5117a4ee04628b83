"""What the weights of classes are learnt from."""

from pathlib import Path

import numpy as np
import pytest

from telesurv.evaluate import classes as scoring
from telesurv.evaluate import train_classes as train
from telesurv.lead import Lead
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import classes

EXCERPTS = Path(__file__).parents[1] / "data" / "mitdb"


def lead(name: str) -> Lead:
    with np.load(EXCERPTS / f"{name}.npz") as data:
        rate_hz, scale_mv = float(data["rate_hz"]), float(data["scale_mv"])
        return Lead(name, 0, "II", data["samples"], rate_hz, scale_mv, 1, rate_hz)


@pytest.mark.parametrize("name", ["203", "208"])  # many ventricular beats
def test_features_are_the_same_whatever_was_said_of_the_beats_before(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the weights in force, which know every record, would be in those of a fold."""
    one = lead(name)
    found, features = train.described(one)
    compared = ~np.isnan(features[:, 0])
    assert compared.sum() > 50

    def called(bias: float) -> set[int]:
        made = classes.params(one.rate_hz)
        made["ventricular"], made["supraventricular"] = 0.0, 0.0
        made["ventricular"][0] = bias
        monkeypatch.setattr(train.classes, "params", lambda _: made)
        again, others = train.described(one)
        assert np.array_equal(again, found)
        assert np.array_equal(others, features, equal_nan=True)
        weights = made["ventricular"], made["supraventricular"]
        flags = scoring.classified(one, weights)["flags"][compared]
        return set((flags >> codes.CLASS_SHIFT & codes.CLASS_MASK).tolist())

    assert called(-50.0) != called(50.0)
