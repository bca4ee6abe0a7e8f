"""Finds what got worse: detectors over series and spans, pure and online."""
