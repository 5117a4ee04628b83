"""What must hold of a world at its end, one property a function."""

import msgspec

from simulation.world import GROUP, World
from telesurv.alerts.model import Alert
from telesurv.engine import Engine
from telesurv.service import Worker
from telesurv.snapshot import snapshot
from telesurv.table import Key
from telesurv_streams.log import ALERTS, FRAMES, HEADER_KIND


def reference(world: World) -> tuple[Engine, dict[str, list[Alert]]]:
    """Return one pass of the engine over the log as it stands, and its revisions by id."""
    engine = Engine()
    said: dict[str, list[Alert]] = {}
    for number in range(world.log.partitions(FRAMES)):
        reader = world.log.reader(FRAMES, [number])
        while records := reader.poll(0.0, 10_000):
            for _, alert in engine.feed(records).alerts:
                said.setdefault(alert.id, []).append(alert)
    return engine, said


def alerts_equal(world: World, said: dict[str, list[Alert]]) -> None:
    """Every alert on the topic is one of the reference, and the last revisions are all there."""
    kept: dict[str, int] = {}
    for record in world.records(ALERTS):
        if record.value is None or HEADER_KIND in dict(record.headers):
            continue
        alert = msgspec.json.decode(record.value, type=Alert)
        assert alert.emitted is not None
        bare = msgspec.structs.replace(alert, emitted=None)
        assert alert.id in said, f"seed {world.seed}: unknown {alert.condition} {alert.onset}"
        revisions = said[alert.id]
        assert alert.revision <= len(revisions), f"seed {world.seed}: revision never made"
        expected = revisions[alert.revision - 1]
        assert bare == expected, (
            f"seed {world.seed}: {alert.condition} rev {alert.revision} differs"
        )
        kept[alert.id] = max(kept.get(alert.id, 0), alert.revision)
    lasts = {identity: len(revisions) for identity, revisions in said.items()}
    assert kept == lasts, f"seed {world.seed}: {kept} on the topic, expected {lasts}"


def offsets_monotone(world: World) -> None:
    """No committed offset ever went back."""
    last: dict[int, int] = {}
    for committed in world.committed:
        for partition, offset in committed.items():
            assert offset >= last.get(partition, 0), f"seed {world.seed}: partition {partition}"
            last[partition] = offset


def tables_equal(world: World, engine: Engine) -> None:
    """What the workers hold of each patient is what a fresh pass makes, to the byte."""
    keys: set[Key] = set()
    for worker in world.workers():
        for key, row in worker.engine.table.keys.items():
            keys.add(key)
            held = 0
            mine = snapshot(worker.engine, row, held, with_ring=True)
            fresh = snapshot(engine, engine.table.keys[key], held, with_ring=True)
            assert mine == fresh, f"seed {world.seed}: state of {key} differs"
    assert keys == set(engine.table.keys), f"seed {world.seed}: patients differ"


def restart_equal(world: World, engine: Engine) -> None:
    """A worker that comes after everybody is gone restores the same table from the log."""
    for actor in list(world.actors):
        assert actor.worker is not None
        actor.worker.close()
        world.actors.remove(actor)
    world.join()
    world.settle()
    again, _ = reference(world)
    tables_equal(world, again)


def little_left(world: World) -> None:
    """Workers in peace have committed nearly everything."""
    for number, part in enumerate(world.log.parts(FRAMES)):
        committed = world.log.group(FRAMES, GROUP).committed.get(number, 0)
        assert 0 <= committed <= part.end


def worker_of(world: World) -> Worker:
    """Return some worker."""
    return world.workers()[0]
