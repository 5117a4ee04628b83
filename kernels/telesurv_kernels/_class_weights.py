"""Weights of the evidence that `classes` adds up, and the signs to which they are bound.

Made by `telesurv.evaluate.train_classes` (logistic regression) from both leads of 22 records of
the MIT-BIH Arrhythmia Database (PhysioNet, ODC-BY 1.0; de Chazal's DS1), beats N, S and V as
experts marked them, a fusion beat for a quarter of a V, paced records left out, inventions of the
detector taken for N, leads left out in which more than a tenth of the beats was not detected. No
feature knows gain, polarity, lead or patient. Made with version 2 of `classes`.
"""

VERSION = 2

# What `_evidence` computes, in its order: early, so early after a usual beat that it is rather
# aberrant, wider kind, wide, larger, T opposite; of the dominant kind, noise, when the next usual
# beat was due, steep from its onset; P differs.
VENTRICULAR_SIGNS = (1, -1, 1, 1, 1, 1, -1, -1, -1, -1, 1)

# P differs, early against the unsteadiness of the basic rhythm; how irregular all beats come.
SUPRAVENTRICULAR_SIGNS = (1, 1, -1)

SHARED = 1  # feature: the last one of the former is the first one of the latter

# The bias first.
VENTRICULAR_WEIGHTS = (-1.83, 8.51, -3.01, 2.64, 1.17, 3.71, 1.38, -3.12, -1.64, -0.96, -0.97, 0.90)
SUPRAVENTRICULAR_WEIGHTS = (-5.50, 1.64, 1.69, -7.02)
