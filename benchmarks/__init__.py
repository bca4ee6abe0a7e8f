"""Measurements: `python -m benchmarks.NAME [--json]` prints figures beside the bar that they have to meet, and judges nothing."""
