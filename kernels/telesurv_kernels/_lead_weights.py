"""Weights of what `leads` adds up for a peak in which its leads do not agree.

A logistic regression on peaks of two-lead records, as
`python -m telesurv.evaluate.train_leads mitdb noise` makes it: 24 of the MIT-BIH Arrhythmia
Database, and for little their copies with noise of its Noise Stress Test in one lead or both, or
with one lead too small to show anything. Five folds over records, gross Se / +P of those apart:
99.93 / 99.93 % on average of six draws, but each began from weights that know all records; begun
from nothing, 99.93 / 99.92 %. The weights below, on records that they know, 99.94 / 99.94 %, with
noise in both leads (118 and 119) 99.81 / 98.50 %; on nine of CPSC 2021, which they do not know,
from their first second on 99.00 / 99.75 %.

With the leads swapped, or one upside down, they give the same; with one half as large, 99.93 and
99.96 / 99.94 %.
"""

VERSION = 5

# What `_testimony` computes, in its order.
WEIGHTS = (
    *(1.6, 0.66, 0.84, -0.43, -0.48),  # bias; a lead that found it
    *(0.43, -0.02, -0.44, 0.61, 1.95, 2.86, 1.22),  # one that did not, or rejected it
    *(-1.41, 1.04, 1.32),  # an unreadable one
    *(0.42, -2.07, -4.95),  # the time since the last beat
    *(-0.55, -3.5),  # one that shows nothing where it shows beats; one QRS seen twice
    *(-1.29, 0.53),  # a lead that found it in noise: likeness to its shapes
)
