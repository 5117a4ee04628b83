"""Weights of what `leads` adds up for a peak in which its leads do not agree.

A logistic regression on peaks of two-lead records, as
`python -m telesurv.evaluate.train_leads mitdb noise` makes it: 24 of the MIT-BIH Arrhythmia
Database, and for little their copies with noise of its Noise Stress Test in one lead or both, or
with one lead too small to show anything. Five folds over records, gross Se / +P of those apart:
99.92 to 99.93 / 99.92 to 99.94 % in three draws, of the noisy copies 98.64 / 99.43 %. The weights
below, on records that they know, 99.93 / 99.95 %, with noise in both leads (118 and 119)
99.63 / 98.74 %; on nine of CPSC 2021, which they do not know, from their first second on
99.35 / 99.44 %.

With the leads swapped, or one upside down, they give the same; with one half as large, 99.92 and
99.94 / 99.95 and 99.96 %.
"""

VERSION = 4

# What `_testimony` computes, in its order.
WEIGHTS = (
    *(0.81, 0.83, 0.9, -0.62, -0.31),  # bias; a lead that found it
    *(0.37, -0.14, -0.25, 0.67, 1.96, 2.74, 1.24),  # one that did not, or rejected it
    *(-1.5, 0.59, 1.09),  # an unreadable one
    *(0.55, -2.03, -4.77),  # the time since the last beat
    *(-0.49, -2.56),  # one that shows nothing where it shows beats; one QRS seen twice
)
