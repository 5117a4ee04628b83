"""Weights of the evidence that `classes` adds up, and the signs to which they are bound.

Made by `telesurv.evaluate.train_classes` (logistic regression) from both leads of 22 records of
the MIT-BIH Arrhythmia Database (PhysioNet, ODC-BY 1.0; de Chazal's DS1), beats N, S and V as
experts marked them, a fusion beat for a quarter of a V, paced records left out, inventions of the
detector taken for N, leads left out in which more than a tenth of the beats was not detected. No
feature knows gain, polarity, lead or patient. Made with version 3 of `classes`.
"""

VERSION = 3

# What `_evidence` computes, in its order: early, wider kind, wide, larger, T opposite; of the
# dominant kind, noise, when the next usual beat was due, steep from its onset; pauses after its
# kind; P differs.
VENTRICULAR_SIGNS = (1, 1, 1, 1, 1, -1, -1, -1, -1, 1, 1)

# P differs, early against the unsteadiness of the basic rhythm; how irregular all beats come;
# shorter RR than before, after a usual beat; how unsteady the basic rhythm is.
SUPRAVENTRICULAR_SIGNS = (1, 1, -1, 1, 1, -1)

SHARED = 1  # feature: the last one of the former is the first one of the latter

# The bias first.
VENTRICULAR_WEIGHTS = (-3.55, 8.07, 2.42, 1.15, 3.74, 1.35, -1.63, -1.67, -1.55, -0.79, 19.71, 0.89)
SUPRAVENTRICULAR_WEIGHTS = (-5.87, 1.60, 1.60, -6.69, 8.05, 0.63, -7.03)
