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
VENTRICULAR_WEIGHTS = (-1.91, 1.02, 3.16, 1.98, 3.12, 0.74, 1.28, -3.94, -1.84, -4.88)
SUPRAVENTRICULAR_WEIGHTS = (-5.37, 1.49, 1.17, -1.56)
