"""How a group shares the partitions of its topic: evenly, and everybody keeps what they can."""

from collections.abc import Iterable, Mapping


def share(owned: Mapping[str, Iterable[int]], partitions: int) -> dict[str, frozenset[int]]:
    """Hand out every partition to exactly one member.

    Parameters
    ----------
    owned : each member's name and the partitions it had; where two say the same, the first has it
    partitions : how many there are

    Returns
    -------
    Each member's partitions; how many they get differs by one at most.
    """
    had: dict[str, list[int]] = {}
    taken: set[int] = set()
    for name, numbers in owned.items():
        had[name] = sorted({n for n in numbers if 0 <= n < partitions} - taken)
        taken.update(had[name])
    each, more = divmod(partitions, max(1, len(had)))
    # Who had most gets the larger shares: fewest move.
    order = sorted(had, key=lambda name: -len(had[name]))
    sizes = {name: each + (place < more) for place, name in enumerate(order)}
    kept = {name: had[name][: sizes[name]] for name in order}
    free = sorted(set(range(partitions)).difference(*kept.values()))
    for name in order:
        missing = sizes[name] - len(kept[name])
        kept[name], free = kept[name] + free[:missing], free[missing:]
    return {name: frozenset(numbers) for name, numbers in kept.items()}
