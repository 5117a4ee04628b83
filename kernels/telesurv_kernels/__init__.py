"""Compiled signal kernels: arrays in, arrays out."""
