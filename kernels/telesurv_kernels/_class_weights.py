"""Weights of the evidence that `classes` adds up, and the signs to which they are bound.

Made by `telesurv.evaluate.train_classes` (logistic regression) from both leads of 22 records of
the MIT-BIH Arrhythmia Database (PhysioNet, ODC-BY 1.0; de Chazal's DS1), beats N, S and V as
experts marked them, paced records and fusion beats left out, inventions of the detector taken
for N, leads left out in which more than a tenth of the beats was not detected. No feature knows
gain, polarity, lead or patient. Made with version 1 of `classes`.
"""

VERSION = 1

# What `_evidence` computes, in its order: distance from the dominant kind, early, early against
# irregularity, slower slopes, pauses after the kind, wider kind, T differs, T opposite, wide;
# of the dominant kind, common kind, noise, when the next usual beat was due.
VENTRICULAR_SIGNS = (1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1)

# Early against irregularity, against the dominant kind, against the last RR, P differs;
# distance from the dominant kind, irregularity.
SUPRAVENTRICULAR_SIGNS = (1, 1, 1, 1, -1, -1)

# The bias first.
VENTRICULAR_WEIGHTS = (
    -3.71, 3.19, 2.77, 0.50, 2.16, 4.38, 0.81, 1.05, 1.32, 1.61, -2.65, -0.31, -1.82, -2.69,
)  # fmt: skip
SUPRAVENTRICULAR_WEIGHTS = (-4.07, 0.43, 7.86, 1.70, 1.85, -1.44, -5.89)
