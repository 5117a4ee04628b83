"""Plans on their way into the partitions: a copy in the log, so that it takes effect there."""

from collections.abc import Callable, Iterable

import msgspec

from telesurv.alerts.model import Plan
from telesurv.engine import Engine
from telesurv.intake import LIVE
from telesurv.plans import BadPlan, read_plan, route_of
from telesurv.publish import plan_copy
from telesurv.table import Key
from telesurv_streams.log import PATIENTS, Log, Outgoing
from telesurv_streams.partitioner import partition_for

READ_MAX = 1000

READS_MAX = 20
"""Polls of one `read`, so that a long topic does not keep its reader from everything else."""


class Enrolment:
    """Reads the topic of plans and says which copies a worker's partitions still need."""

    def __init__(self, log: Log, partitions: int, refused: Callable[[str], None]) -> None:
        self._reader = log.reader(PATIENTS)
        self._partitions = partitions
        self._refused = refused
        self._plans: dict[str, Plan] = {}
        self._fresh: set[str] = set()
        self._copied: dict[Key, int] = {}

    def read(self) -> None:
        """Take in what is new on the topic of plans."""
        for _ in range(READS_MAX):
            if not (records := self._reader.poll(0.0, READ_MAX)):
                return
            for record in records:
                if not record.value:
                    continue
                try:
                    plan = read_plan(record.value)
                except BadPlan as error:
                    self._refused(str(error))
                    continue
                known = self._plans.get(plan.patient)
                if known is None or plan.version > known.version:
                    self._plans[plan.patient] = plan
                    self._fresh.add(plan.patient)

    def assigned(self) -> None:
        """Look at every plan again: other partitions are ours now."""
        self._fresh = set(self._plans)
        self._copied.clear()

    def copies(self, engine: Engine, ready: Iterable[int]) -> list[Outgoing]:
        """Return the copies that partitions which are ours and flow do not hold yet."""
        ours, elsewhere = set(ready), _known(engine, self._fresh)
        missing = []
        for patient in sorted(self._fresh):
            plan = self._plans[patient]
            home = self._home(plan)
            for key in sorted({home, *elsewhere.get(patient, ())}):
                if key.partition not in ours:
                    continue
                row = engine.table.keys.get(key)
                known = 0 if row is None else engine.table.plan_of[row].version
                known = max(known, self._copied.get(key, 0))
                if plan.version > known:
                    self._copied[key] = plan.version
                    there = plan
                    if key != home:  # moved away: silence is judged elsewhere
                        there = msgspec.structs.replace(plan, route=key.route, ended=True)
                    missing.append(plan_copy(there, key.route, key.partition))
        self._fresh.clear()
        return missing

    def _home(self, plan: Plan) -> Key:
        """Return where the patient's frames belong, and where their silence is judged."""
        route = route_of(plan)
        return Key(LIVE, route, plan.patient, partition_for(route.encode(), self._partitions))

    def close(self) -> None:
        """Stop reading."""
        self._reader.close()


def _known(engine: Engine, patients: set[str]) -> dict[str, list[Key]]:
    """Return where the engine knows these patients, on whatever route and partition."""
    found: dict[str, list[Key]] = {}
    for key in engine.table.keys if patients else ():
        if key.mode == LIVE and key.patient in patients:
            found.setdefault(key.patient, []).append(key)
    return found
