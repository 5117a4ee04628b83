"""The partitioner against Kafka's published values and kafka-python's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as their_murmur2

from telesurv_streams.partitioner import murmur2, partition_for

# From Apache Kafka's own test of murmur2 (UtilsTest), as signed 32-bit numbers.
KNOWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), KNOWN.items())
def test_the_hash_is_that_of_the_java_client(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected % 2**32
    assert partition_for(key, 48) == (expected % 2**31) % 48


@given(st.binary(max_size=70), st.integers(1, 200))
def test_it_agrees_with_kafka_python(key: bytes, partitions: int) -> None:
    assert murmur2(key) == their_murmur2(key) % 2**32
    assert 0 <= partition_for(key, partitions) < partitions
