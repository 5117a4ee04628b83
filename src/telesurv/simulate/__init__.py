"""Simulated patients: ECG, PPG and SpO2 of the same beats, with scripted events.

NeuroKit2 makes a few beats of each shape, once; long streams are composed of them, so that a
hundred patients in real time cost little. Everything follows from a script and a seed: the same
second is the same samples however it is asked for, and where its R-peaks lie is known.

>>> from telesurv.simulate import Patient, Script
>>> patient = Patient("p-01", Script.parse("asystole@60s+8s"), seed=1)
>>> rows = patient.frames(0, 120)
>>> peaks_s = patient.r_peaks_s(0, 120)
"""

from telesurv.simulate.patient import Patient
from telesurv.simulate.script import EVENTS, Event, Script
from telesurv.simulate.ward import ward

__all__ = ["EVENTS", "Event", "Patient", "Script", "ward"]
