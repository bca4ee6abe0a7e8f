"""The carrier gateway: one door to all insurers."""
