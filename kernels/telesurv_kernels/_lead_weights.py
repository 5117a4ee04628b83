"""Weights of what `leads` adds up for a peak in which its leads do not agree.

A logistic regression on peaks of two-lead records, as
`python -m telesurv.evaluate.train_leads mitdb noise` makes it: 24 of the MIT-BIH Arrhythmia
Database, and for little their copies with noise of its Noise Stress Test in one lead or both, or
with one lead too small to show anything. Five folds over records, gross Se / +P of those apart:
99.93 / 99.93 %, of the noisy copies 98.63 / 99.43 %. The weights below, on records that they know,
99.93 / 99.96 %, with noise in both leads (118 and 119) 99.63 / 98.77 %; on nine of CPSC 2021, which
they do not know, from their first second on 99.35 / 99.48 %.

With the leads swapped, or one upside down, they give the same; with one half as large, 99.92 and
99.94 / 99.95 and 99.96 %.
"""

VERSION = 3

# What `_testimony` computes, in its order.
WEIGHTS = (
    *(0.78, 0.84, 0.91, -0.59, -0.3),  # bias; a lead that found it
    *(0.36, -0.17, -0.3, 0.68, 1.99, 2.62, 1.17),  # one that did not, or rejected it
    *(-1.47, 0.56, 1.05),  # an unreadable one
    *(0.43, -2.04, -4.77),  # the time since the last beat
    *(-0.46, -2.78),  # one that shows nothing where it shows beats; one QRS seen twice
)
