"""How sure a share is that a few cases gave."""

import math

Z = 1.959964
"""Of a two-sided interval of 95 %."""


def wilson(hits: int, cases: int) -> tuple[float, float] | None:
    """Return the 95 % interval of a share (Wilson 1927); None without cases.

    Unlike the normal one it stays within 0 and 1, and is no point where all cases agree.
    """
    if not cases:
        return None
    share, weight = hits / cases, Z * Z / cases
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def share(hits: int, cases: int) -> float | None:
    """Return hits / cases, None without cases."""
    return hits / cases if cases else None
