"""Weights of what `leads` adds up for a peak in which its leads do not agree.

A logistic regression on peaks of two-lead records, as
`python -m telesurv.evaluate.train_leads mitdb noise` makes it: 24 of the MIT-BIH Arrhythmia
Database, and for little their copies with noise of its Noise Stress Test in one lead or both, or
with one lead too small to show anything. Five folds over records, gross Se / +P of those apart:
99.93 / 99.93 % on average of six draws (99.92 to 99.94 / 99.92 to 99.95), of the noisy copies
99.03 / 99.41 %; how far verdicts lean to a beat was chosen by the same folds, so that as many are
missed as invented. The weights below, on records that they know, 99.95 / 99.95 %, with noise in
both leads (118 and 119) 99.82 / 98.67 %; on nine of CPSC 2021, which they do not know, from their
first second on 99.00 / 99.75 %.

With the leads swapped, or one upside down, they give the same; with one half as large, 99.93 /
99.94 and 99.96 / 99.94 %.
"""

VERSION = 6

# What `_testimony` computes, in its order.
WEIGHTS = (
    *(1.8, 0.73, 0.71, -0.58, -0.41),  # bias; a lead that found it
    *(0.46, 0.0, -0.38, 0.58, 2.18, 2.81, 1.15),  # one that did not, or rejected it
    *(-1.4, 1.05, 1.34),  # an unreadable one
    *(0.39, -2.03, -4.76),  # the time since the last beat
    *(-0.51, -3.5),  # one that shows nothing where it shows beats; one QRS seen twice
    *(-1.27, 0.53),  # a lead that found it in noise: likeness to its shapes
)
