"""What the weights of classes are learnt from."""

import numpy as np
import pytest

from engine_cases import real
from telesurv.evaluate import classes as scoring
from telesurv.evaluate import train_classes as train
from telesurv.lead import Lead
from telesurv_kernels import _dtypes as codes
from telesurv_kernels import classes


def lead(name: str) -> Lead:
    signal = real(name)
    return Lead(name, 0, "II", signal.codes, signal.rate_hz, signal.scale, 1, signal.rate_hz)


@pytest.mark.parametrize("name", ["203", "208"])  # many ventricular beats
def test_features_are_the_same_whatever_was_said_of_the_beats_before(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the weights in force, which know every record, would be in those of a fold."""
    one = lead(name)
    found, features = train.described(one)
    compared = ~np.isnan(features[:, 0])
    assert compared.sum() > 50

    made = classes.params(one.rate_hz)
    made["ventricular"], made["supraventricular"] = 0.0, 0.0
    monkeypatch.setattr(train.classes, "params", lambda _: made)

    def called(bias: float) -> set[int]:
        made["ventricular"][0] = bias
        again, others = train.described(one)
        assert np.array_equal(again, found)
        assert np.array_equal(others, features, equal_nan=True)
        weights = made["ventricular"], made["supraventricular"]
        flags = scoring.classified(one, weights)["flags"][compared]
        return set((flags >> codes.CLASS_SHIFT & codes.CLASS_MASK).tolist())

    assert called(-50.0) != called(50.0)
