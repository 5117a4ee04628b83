"""Rebalances of a Kafka group: who gets which partitions, and what a member hears of it.

Kafka's classic protocol, eager: every rebalance takes all partitions and hands them out anew.
kafka-python's own sticky assignors will not do. They ask the topic's metadata how many
partitions there are, and where that has not arrived yet they hand out none, without an error;
the cooperative one also believes members that claim what they have lost, and then leaves such
a partition without owner. Ours knows the number of partitions, and hands out every one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from kafka.protocol.consumer.metadata import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)

from telesurv_streams._shares import share


@dataclass(frozen=True, slots=True)
class KafkaMembership:
    """A member, the generation it takes part in, and the partitions it owns there.

    `metadata` is what kafka-python wants to see again when offsets are committed.
    """

    member: str
    generation: int
    partitions: frozenset[int]
    metadata: Any


class Assignor(AbstractPartitionAssignor):  # type: ignore[misc]
    """Shares a topic's partitions among the members; the group's leader runs it."""

    name = "telesurv-sticky"

    def __init__(self, topic: str, partitions: int) -> None:
        self._topic, self._partitions = topic, partitions
        self.membership: KafkaMembership | None = None

    def metadata(self, topics: Sequence[str]) -> ConsumerProtocolSubscription:
        """Return what this member tells the leader: what it owns, and since when."""
        known = self.membership
        said = {
            "generation": known.generation if known else -1,
            "partitions": sorted(known.partitions) if known else [],
        }
        return ConsumerProtocolSubscription(0, list(topics), json.dumps(said).encode())

    def assign(self, cluster: object, members: Sequence[Any]) -> dict[str, Any]:
        """Return each member's part."""
        said = {m.member_id: json.loads(bytes(m.metadata.user_data)) for m in members}
        # Of two that claim the same, the one of the later generation is right.
        newest = sorted(said, key=lambda name: (-said[name]["generation"], name))
        shares = share({name: said[name]["partitions"] for name in newest}, self._partitions)
        return {
            name: ConsumerProtocolAssignment(0, [(self._topic, sorted(numbers))], b"")
            for name, numbers in shares.items()
        }

    def on_assignment(self, assignment: object, generation: int) -> None:
        """Nothing: what is owned is noted by `Rebalances`."""


def keep_joins(consumer: KafkaConsumer) -> None:
    """Let `poll` find the outcome of a join that came between two polls.

    kafka-python 3.0 forgets it and joins again, and where the leader does so the whole group
    starts anew: members that are busy between short polls could go on like that for ever.
    And a join that metadata alone asked for is no longer asked for once the leader has shared
    out: nobody would fetch its outcome, nor send heartbeats again. So it is asked for till then.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    join = coordinator._do_join_and_sync_async  # noqa: SLF001
    kept: list[tuple[int, bytes]] = []

    async def join_once() -> bytes:
        coordinator.request_rejoin()
        generation = coordinator.group_metadata().generation_id
        if kept and kept[0][0] == generation and coordinator.rebalance_in_progress():
            return kept[0][1]
        kept.clear()
        outcome: bytes = await join()
        kept[:] = [(coordinator.group_metadata().generation_id, outcome)]
        return outcome

    coordinator._do_join_and_sync_async = join_once  # noqa: SLF001


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what rebalances changed; kafka-python calls it on its own thread inside `poll`.

    A partition that is ours again in the very next generation was nobody else's meanwhile:
    it is neither revoked nor assigned, and just goes on.
    """

    def __init__(self, consumer: KafkaConsumer, topic: str, assignor: Assignor) -> None:
        self._consumer, self._topic, self._assignor = consumer, topic, assignor
        self.revoked: set[int] = set()
        self.assigned: set[int] = set()

    @property
    def membership(self) -> KafkaMembership | None:
        """The membership captured with the last assignment; None: not a member now."""
        return self._assignor.membership

    @property
    def owned(self) -> frozenset[int]:
        """The partitions of the membership."""
        return self.membership.partitions if self.membership else frozenset()

    def forget(self) -> None:
        """Note that the member has left."""
        self._assignor.membership = None

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Wait for what comes back: until the generation ends, the partitions are ours."""

    def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        """Note that the group gave this member up."""
        self._note(frozenset(), kept=frozenset())
        self._assignor.membership = None

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Note what is new, keep it still, and capture the membership that goes with it."""
        metadata = self._consumer.group_metadata()
        now = KafkaMembership(
            metadata.member_id,
            metadata.generation_id,
            frozenset(tp.partition for tp in assigned),
            metadata,
        )
        old = self.membership
        goes_on = (
            old is not None and old.member == now.member and old.generation + 1 == now.generation
        )
        kept = self.owned & now.partitions if goes_on else frozenset()
        for number in now.partitions - kept:
            tp = TopicPartition(self._topic, number)
            self._consumer.pause(tp)
            # Any position will do: without one, kafka-python looks for it itself, and raises.
            self._consumer.seek(tp, 0)
        self._note(now.partitions, kept)
        self._assignor.membership = now

    def _note(self, owned: frozenset[int], kept: frozenset[int]) -> None:
        gone = self.owned - kept
        # What came and went between two polls was never told; what went stays revoked.
        self.revoked |= gone - self.assigned
        self.assigned = (self.assigned - gone) | (owned - kept)
