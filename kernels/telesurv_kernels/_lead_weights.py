"""Weights of what `leads` adds up for a peak in which its leads do not agree.

A logistic regression on peaks of two-lead records, as `telesurv.evaluate.train_leads` makes it:
24 of the MIT-BIH Arrhythmia Database and 9 of CPSC 2021, and for little those of the first with
noise of its Noise Stress Test in one lead or both, or with one lead too small to show anything.
Five folds over records, gross Se / +P of those apart: MIT-BIH 99.88 / 99.91 %, with noise in both
leads (118 and 119) 99.71 / 97.89 %, CPSC 2021 99.39 / 99.44 %; of records that the weights know
99.91 / 99.93, 99.66 / 98.47 and 99.35 / 99.35 %.
"""

VERSION = 1

# What `_testimony` computes, in its order.
WEIGHTS = (
    *(-0.33, 0.8, 0.74, -0.3, -0.39),  # bias; a lead that found it
    *(0.25, -0.3, -0.9, 0.68, 1.49, 2.22, 0.97),  # one that did not, or rejected it
    *(-1.16, 0.24, 0.72),  # an unreadable one
    *(0.23, -1.59, -1.96),  # the time since the last beat
)
