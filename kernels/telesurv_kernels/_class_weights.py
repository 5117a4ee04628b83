"""Weights of the evidence that `classes` adds up, and the signs to which they are bound.

Made by `telesurv.evaluate.train_classes` (logistic regression) from both leads of 22 records of
the MIT-BIH Arrhythmia Database (PhysioNet, ODC-BY 1.0; de Chazal's DS1), beats N, S and V as
experts marked them, paced records and fusion beats left out, inventions of the detector taken
for N, leads left out in which more than a tenth of the beats was not detected. No feature knows
gain, polarity, lead or patient. Made with version 1 of `classes`.
"""

VERSION = 1

# What `_evidence` computes, in its order: early against irregularity, wider kind, wide, larger,
# T differs, T opposite; of the dominant kind, noise, when the next usual beat was due.
VENTRICULAR_SIGNS = (1, 1, 1, 1, 1, 1, -1, -1, -1)

# Early against the unsteadiness of the basic rhythm, P differs; distance from the dominant kind.
SUPRAVENTRICULAR_SIGNS = (1, 1, -1)

# The bias first.
VENTRICULAR_WEIGHTS = (-2.03, 1.03, 3.59, 1.96, 3.24, 0.71, 1.31, -3.89, -1.85, -4.28)
SUPRAVENTRICULAR_WEIGHTS = (-5.45, 1.55, 1.18, -1.36)
