"""Streaming telemonitoring: vitals in over Kafka, compiled signal kernels, alerts out."""

__version__ = "0.1.0"
