"""Stretches of time: where they are, and how much of them."""

from collections.abc import Iterable

Span = tuple[float, float]
"""Begin and end, seconds."""


def union(spans: Iterable[Span]) -> list[Span]:
    """Return disjoint stretches in order that hold what any of some holds."""
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if end <= begin:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((begin, end))
    return joined


def both(some: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """Return what lies in some of the first stretches and in some of the others."""
    others = union(others)
    shared = [
        (max(begin, low), min(end, high)) for begin, end in union(some) for low, high in others
    ]
    return union(shared)


def without(some: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """Return what lies in some of the first stretches and in none of the others."""
    left = union(some)
    for low, high in union(others):
        parts = [((begin, min(end, low)), (max(begin, high), end)) for begin, end in left]
        left = union(part for pair in parts for part in pair)
    return left


def length_s(spans: Iterable[Span]) -> float:
    """Return how long disjoint stretches are together."""
    return sum(end - begin for begin, end in spans)


def overlap(one: Span, others: Iterable[Span]) -> bool:
    """Say whether a stretch has anything in common with another."""
    return any(min(one[1], end) > max(one[0], begin) for begin, end in others)
