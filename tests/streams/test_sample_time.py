"""One formula turns samples into time, for many samples and for one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telesurv_streams.frame import one_sample_time_ns, sample_time_ns

RATES_HZ = st.floats(0.001, 1000.0) | st.sampled_from([0.0, 1.0, 125.0, 249.89, 250.0, 360.0])


@given(st.integers(0, 2**61), st.integers(-(10**6), 10**6), RATES_HZ)
def test_one_sample_has_the_time_that_many_have(anchor_ns: int, sample: int, rate: float) -> None:
    many = sample_time_ns(np.array([anchor_ns]), np.array([sample]), np.array([rate]))
    assert one_sample_time_ns(anchor_ns, sample, rate) == many[0]


def test_times_are_rounded_to_the_nearest_nanosecond() -> None:
    assert [one_sample_time_ns(5, k, 360.0) - 5 for k in range(4)] == [
        0,
        2_777_778,
        5_555_556,
        8_333_333,
    ]
    assert one_sample_time_ns(7, 1000, 0.0) == 7
