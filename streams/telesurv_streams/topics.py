"""The topics, with the settings that measurements and the design found necessary."""

from collections.abc import Mapping

from telesurv_streams.log import (
    ALERTS,
    DEADLETTER,
    FRAMES,
    NUMERICS,
    PATIENTS,
    REVIEWS,
    STATE,
    Misconfigured,
    Topic,
)

FRAME_PARTITIONS = 48
"""Fixed when the topics are created: more workers than this can share no work."""

FRAME_BYTES_MAX = 2**20
"""The largest message of frames that is taken."""

ENVELOPE_BYTES = 64 * 2**10
"""Room for key, headers and Kafka's own framing around the largest message."""

_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS

# What a checkpoint rewrites again and again must be compacted soon: with Kafka's defaults
# (segments of 1 GiB, half of it dirty) a restore reads everything ever written.
_COMPACTED = {
    "cleanup.policy": "compact",
    "segment.bytes": str(64 * 2**20),
    "min.cleanable.dirty.ratio": "0.2",
    "max.compaction.lag.ms": str(10 * _MINUTE_MS),
}

# Settings where more (or -1, without end), or less, than we ask for does no harm.
_AT_LEAST = {"max.message.bytes", "min.insync.replicas", "retention.bytes", "retention.ms"}
_AT_MOST = {"max.compaction.lag.ms", "min.cleanable.dirty.ratio", "segment.bytes"}


def topics(
    frame_partitions: int = FRAME_PARTITIONS,
    replication: int = -1,
    *,
    retention_days: int = 7,
    other_partitions: int = 6,
    frame_retention_bytes: int = -1,
) -> tuple[Topic, ...]:
    """Return every topic as it is to be created.

    Parameters
    ----------
    frame_partitions : partitions of frames and of state, at most this many workers
    replication : copies of each partition; -1: the cluster's default
    retention_days : how long frames, numerics and dead letters are kept, at least
    other_partitions : partitions of each other topic
    frame_retention_bytes : bound of a frame partition, for a log in memory; -1: none
    """
    safe = {"min.insync.replicas": "2"} if replication >= 3 else {}
    kept = {"cleanup.policy": "delete", "retention.ms": str(retention_days * _DAY_MS)}
    frames = {
        **kept,
        # Arrival is what the broker says it is, never a device's clock.
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(FRAME_BYTES_MAX + ENVELOPE_BYTES),
    }
    if frame_retention_bytes >= 0:
        frames["retention.bytes"] = str(frame_retention_bytes)
    # A dead letter holds the largest message, and says why beside it.
    letters = {**kept, "max.message.bytes": str(FRAME_BYTES_MAX + 2 * ENVELOPE_BYTES)}
    forever = {"cleanup.policy": "delete", "retention.ms": "-1"}
    table: tuple[tuple[str, int, Mapping[str, str]], ...] = (
        (FRAMES, frame_partitions, frames),
        (STATE, frame_partitions, _COMPACTED),
        (ALERTS, other_partitions, _COMPACTED),
        (NUMERICS, other_partitions, kept),
        (PATIENTS, other_partitions, _COMPACTED),
        (REVIEWS, other_partitions, forever),
        (DEADLETTER, other_partitions, letters),
    )
    return tuple(
        Topic(name, partitions, {**config, **safe}, replication)
        for name, partitions, config in table
    )


def verify(topic: Topic, partitions: int, config: Mapping[str, str]) -> None:
    """Raise `Misconfigured` where a topic that exists is not as it should be."""
    if partitions != topic.partitions:
        raise Misconfigured(
            f"topic {topic.name} has {partitions} partitions, expected {topic.partitions}"
        )
    for name, expected in topic.config.items():
        seen = config.get(name, "")
        if not _fits(name, seen, expected):
            bound = "at least " if name in _AT_LEAST else "at most " if name in _AT_MOST else ""
            raise Misconfigured(f"topic {topic.name} has {name}={seen}, expected {bound}{expected}")


def _fits(name: str, seen: str, expected: str) -> bool:
    try:
        have, want = float(seen), float(expected)
    except ValueError:
        return set(seen.split(",")) == set(expected.split(","))
    if name in _AT_LEAST:
        return have == -1 or (want != -1 and have >= want)
    return have <= want if name in _AT_MOST else have == want
