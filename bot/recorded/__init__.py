"""Recorded telemetry: OTLP requests in files, decoded."""
