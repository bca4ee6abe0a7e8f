"""The quote engine: rates a risk and collects insurers' offers for it."""
