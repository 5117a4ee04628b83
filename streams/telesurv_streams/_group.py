"""A consumer group of the in-process log: rebalance, generations, offsets.

As in Kafka's classic protocol: a change of members asks every member to join again, which it
does by polling; when all have, or time is up, the generation rises and partitions are
assigned anew, each to its old member as far as balance allows. A member hears of it by its
next poll; until then it may believe in partitions that another one owns already.
"""

from dataclasses import dataclass, field

from telesurv_streams._shares import share


@dataclass(frozen=True, slots=True)
class MemoryMembership:
    """A member, the generation it takes part in, and the partitions it owns there."""

    member: str
    generation: int
    partitions: frozenset[int]


@dataclass(slots=True)
class Member:
    """What the group knows of a member."""

    name: str
    owned: frozenset[int] = frozenset()
    generation: int = 0  # the last that it took part in
    joined: bool = False  # has joined the rebalance under way
    dead_since_ns: int | None = None


@dataclass(slots=True)
class Group:
    """Members of a group on one topic and what they committed."""

    partitions: int
    session_ns: int
    rebalance_ns: int
    generation: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    _joined_ever: int = 0
    preparing: bool = False  # a rebalance is under way
    _deadline_ns: int = 0

    def join(self, now_ns: int) -> str:
        """Take a new member and return its name."""
        self._joined_ever += 1
        name = f"member-{self._joined_ever}"
        self.members[name] = Member(name)
        self._prepare(now_ns)
        return name

    def remove(self, name: str, now_ns: int) -> None:
        """Forget a member that left, or that was given up."""
        if self.members.pop(name, None) is not None:
            self._prepare(now_ns)

    def poll(self, name: str, known: MemoryMembership | None, now_ns: int) -> Member | None:
        """Let a member take part in the rebalance under way; None: it is not a member."""
        self.expire(now_ns)
        member = self.members.get(name)
        if member is None:
            return None
        member.dead_since_ns = None
        unheard = known is not None and known.generation != member.generation
        if self.preparing and not unheard:
            member.joined = True
            self._complete(now_ns)
        return self.members.get(name)

    def is_current(self, membership: MemoryMembership, now_ns: int) -> bool:
        """Whether a membership may still commit."""
        self.expire(now_ns)
        member = self.members.get(membership.member)
        return member is not None and (
            membership.generation == member.generation == self.generation
        )

    def expire(self, now_ns: int) -> None:
        """Give up members that have been dead for as long as a session lasts."""
        for member in list(self.members.values()):
            dead_ns = member.dead_since_ns
            if dead_ns is not None and now_ns - dead_ns >= self.session_ns:
                self.remove(member.name, now_ns)

    def _prepare(self, now_ns: int) -> None:
        if not self.preparing:
            self.preparing, self._deadline_ns = True, now_ns + self.rebalance_ns
            for member in self.members.values():
                member.joined = False

    def _complete(self, now_ns: int) -> None:
        late = [m.name for m in self.members.values() if not m.joined]
        if late and now_ns < self._deadline_ns:
            return
        for name in late:
            del self.members[name]
        self.preparing = False
        self.generation += 1
        shares = share({m.name: m.owned for m in self.members.values()}, self.partitions)
        for name, owned in shares.items():
            self.members[name].owned = owned
            self.members[name].generation = self.generation
