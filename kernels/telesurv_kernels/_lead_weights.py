"""Weights of what `leads` adds up for a peak in which its leads do not agree.

A logistic regression on peaks of two-lead records, as
`python -m telesurv.evaluate.train_leads mitdb noise` makes it: 24 of the MIT-BIH Arrhythmia
Database, and for little their copies with noise of its Noise Stress Test in one lead or both, or
with one lead too small to show anything. Five folds over records, gross Se / +P of those apart:
99.93 / 99.93 %, of the noisy copies 98.66 / 99.45 %. The weights below, on records that they know,
99.93 / 99.95 %, with noise in both leads (118 and 119) 99.61 / 98.74 %; on nine of CPSC 2021, which
they do not know, from their first second on 99.30 / 99.26 %.
"""

VERSION = 3

# What `_testimony` computes, in its order.
WEIGHTS = (
    *(0.85, 0.85, 0.9, -0.59, -0.28),  # bias; a lead that found it
    *(0.38, -0.14, -0.25, 0.67, 2.0, 2.61, 1.16),  # one that did not, or rejected it
    *(-1.51, 0.61, 1.09),  # an unreadable one
    *(0.48, -2.02, -4.77),  # the time since the last beat
    *(-0.48, -2.64),  # one that shows nothing where it shows beats; one QRS seen twice
)
