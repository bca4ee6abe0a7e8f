"""The always-on process's HTTP: telemetry in, webhooks in, thoughts and state out, and the monitor page."""
