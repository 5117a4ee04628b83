"""Which partition a key belongs to: murmur2, as Kafka's own Java producer computes it.

Both logs use this one, so a patient's frames land in the same partition whatever carries
them. librdkafka's default is another one (CRC32): see `streams/README.md`.
"""

from functools import lru_cache

_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """Return the 32-bit murmur2 hash of a key, unsigned, with the seed that Kafka uses."""
    hash_ = _SEED ^ len(key)
    whole = len(key) & ~3
    for place in range(0, whole, 4):
        word = int.from_bytes(key[place : place + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ (word >> 24)) * _MULTIPLIER & _MASK
        hash_ = (hash_ * _MULTIPLIER & _MASK) ^ word
    if whole < len(key):
        hash_ = (hash_ ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _MASK
    hash_ = (hash_ ^ (hash_ >> 13)) * _MULTIPLIER & _MASK
    return hash_ ^ (hash_ >> 15)


@lru_cache(maxsize=65_536)
def partition_for(key: bytes, partitions: int) -> int:
    """Return the partition of a key among `partitions` (at least 1)."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
