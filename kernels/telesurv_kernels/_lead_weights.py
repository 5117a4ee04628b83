"""Weights of what `leads` adds up for a peak in which its leads do not agree.

A logistic regression on peaks of two-lead records, as
`python -m telesurv.evaluate.train_leads mitdb noise` makes it: 24 of the MIT-BIH Arrhythmia
Database, and for little their copies with noise of its Noise Stress Test in one lead or both, or
with one lead too small to show anything. Five folds over records, gross Se / +P of those apart:
99.94 / 99.88 %, of the noisy copies 98.81 / 99.41 %. The weights below, on records that they know,
99.93 / 99.94 %, with noise in both leads (118 and 119) 99.62 / 98.76 %; on nine of CPSC 2021, which
they do not know, from their first second on 99.31 / 99.31 %.
"""

VERSION = 2

# What `_testimony` computes, in its order.
WEIGHTS = (
    *(-0.29, 0.83, 0.76, -0.43, -0.35),  # bias; a lead that found it
    *(0.14, -0.42, -0.73, 0.7, 1.34, 1.83, 0.81),  # one that did not, or rejected it
    *(-1.1, 0.2, 0.64),  # an unreadable one
    *(0.18, -1.71, -2.4),  # the time since the last beat
)
