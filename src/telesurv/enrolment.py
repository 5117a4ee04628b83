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


class Enrolment:
    """Reads the topic of plans and says which copies a worker's partitions still need."""

    def __init__(self, log: Log, partitions: int, refused: Callable[[str], None]) -> None:
        self._reader = log.reader(PATIENTS)
        self._partitions = partitions
        self._refused = refused
        self._plans: dict[str, Plan] = {}
        self._fresh: set[str] = set()
        self._copied: dict[tuple[str, str], int] = {}

    def read(self) -> None:
        """Take in what is new on the topic of plans."""
        while records := self._reader.poll(0.0, READ_MAX):
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
        ours = set(ready)
        missing = []
        for patient in sorted(self._fresh):
            plan = self._plans[patient]
            for route in self._routes(engine, plan):
                partition = partition_for(route.encode(), self._partitions)
                if partition not in ours:
                    continue
                row = engine.table.keys.get(Key(LIVE, route, patient, partition))
                known = 0 if row is None else engine.table.plan_of[row].version
                known = max(known, self._copied.get((route, patient), 0))
                if plan.version > known:
                    self._copied[route, patient] = plan.version
                    there = plan
                    if route != route_of(plan):  # moved away: silence is judged elsewhere
                        there = msgspec.structs.replace(plan, route=route, ended=True)
                    missing.append(plan_copy(there, route, partition))
        self._fresh.clear()
        return missing

    @staticmethod
    def _routes(engine: Engine, plan: Plan) -> list[str]:
        """Return the plan's route, and others on which the patient is known."""
        others = {
            key.route
            for key in engine.table.keys
            if key.mode == LIVE and key.patient == plan.patient
        }
        return sorted({route_of(plan)} | others) if plan.version > 1 else [route_of(plan)]

    def close(self) -> None:
        """Stop reading."""
        self._reader.close()
