"""Weights of the evidence that `classes` adds up, and the signs to which they are bound.

Made by `telesurv.evaluate.train_classes` (logistic regression) from both leads of 22 records of
the MIT-BIH Arrhythmia Database (PhysioNet, ODC-BY 1.0; de Chazal's DS1), beats N, S and V as
experts marked them, a fusion beat for a quarter of a V, paced records left out, inventions of the
detector taken for N, leads left out in which more than a tenth of the beats was not detected. No
feature knows gain, polarity, lead or patient. Made with version 4 of `classes`.
"""

VERSION = 4

# What `_evidence` computes, in its order: early, wider kind, wide, larger, T opposite; of the
# dominant kind, noise, when the next usual beat was due, steep from its onset; pauses after its
# kind; P differs.
VENTRICULAR_SIGNS = (1, 1, 1, 1, 1, -1, -1, -1, -1, 1, 1)

# P differs, early against the unsteadiness of the basic rhythm; how irregular all beats come;
# shorter RR than before, after a usual beat; how unsteady the basic rhythm is.
SUPRAVENTRICULAR_SIGNS = (1, 1, -1, 1, 1, -1)

SHARED = 1  # feature: the last one of the former is the first one of the latter

# The bias first.
VENTRICULAR_WEIGHTS = (-3.50, 7.99, 2.45, 1.06, 3.74, 1.36, -1.64, -1.61, -1.54, -0.80, 19.32, 0.87)
SUPRAVENTRICULAR_WEIGHTS = (-5.86, 1.58, 1.59, -6.65, 8.02, 0.63, -7.01)
