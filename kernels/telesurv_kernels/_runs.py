"""Ventricular beats in a row, lead by lead: a rhythm that one lead shows throughout, or noise.

Where an electrode moves, what is taken for wide beats differs from one to the next by more in
height than complexes of a tachycardia do: even those of a polymorphic one wax and wane over
several beats. Nor does a beat count that noise drowns: where noise (twice the calmest 100 ms, see
`beats`) is twice the usual beat, the calmest stretch is as strong as a beat, which it is in no
tachycardia. And noise is not the same in two leads, while a lead that shows a ventricular beat
mostly shows the next one, too.

HEIGHTS was chosen on 100 alarms of ventricular tachycardia of the PhysioNet/CinC Challenge 2015,
each lead for itself: of 60 false ones 6 instead of 13 were confirmed, of 40 true ones as many as
before. Five folds over the records choose 2 four times and 2.25 once, and confirm 7 false ones.
What experts marked as tachycardia in vfdb and mitdb was found as before. DROWNED takes away one
more false one; in true ones the ratio was 0.75 at least.

Works on the fields of the state (`s`) of one row of `leads`.
"""

from typing import Any

from telesurv_kernels._dtypes import (
    CLASS_MASK,
    CLASS_SHIFT,
    NOISE_SHIFT,
    RUN_MASK,
    UNSURE,
    VENTRICULAR,
)
from telesurv_kernels._jit import kernel

HEIGHTS = 2.0  # the higher of two neighbours to the lower, at most
DROWNED = 2  # usual beat to noise, in 1/4, at which a beat does not count


@kernel
def follow(s: Any, lane: int, value: float, flags: int) -> int:
    """Take a beat of the heart that a lane found; return its run, of which this is the last."""
    height_mv, before_mv = abs(value), s["height_mv"][lane]
    s["height_mv"][lane] = height_mv
    alike = max(height_mv, before_mv) <= HEIGHTS * min(height_mv, before_mv)
    run = s["run"][lane] + 1 if alike and s["run"][lane] > 0 else 1
    ventricular = flags >> CLASS_SHIFT & CLASS_MASK == VENTRICULAR and flags & UNSURE == 0
    heard = ventricular and flags >> NOISE_SHIFT & 255 > DROWNED
    s["run"][lane] = min(run, RUN_MASK) if heard else 0
    lasted: int = s["run"][lane]
    return lasted
