"""What Scout keeps and accepts at most: every bound of telemetry in one place.

At these limits the spans of one process take 11 MiB when they repeat each other as spans do, 27 MiB when nothing in them repeats;
each objective takes 0.4 MiB more for its last 20,000 requests. `tests/telemetry/test_store.py` measures it.
"""

from __future__ import annotations

# One request of an exporter.
SPANS_PER_REQUEST = 10_000
NAME_CHARS = 200  # service names, span names, routes, addresses, error types
COMMIT_CHARS = 64
MESSAGE_CHARS = 300
STACKTRACE_CHARS = 8_000  # its beginning (the root cause of a chain) and its end (the innermost frame) are kept
STACKTRACE_HEAD_CHARS = 3_000
CLOCK_AHEAD_S = 3_600.0  # spans that claim to start later than this after now are refused
CLOCK_BEHIND_S = 86_400.0

# The store.
STORED_SPANS = 30_000
STORED_S = 1_200.0
SPANS_PER_TRACE = 1_000
DISTINCT_STACKTRACES = 200
POOLED_STRINGS = 6_000
SERVICES = 300
COMMITS_PER_SERVICE = 20
PEERS = 2_000
COMMITS_PER_OBJECTIVE = 500
REQUESTS_PER_OBJECTIVE = 20_000

# Requests that began and did not end.
OPEN_TRACES = 5_000
ENTRY_KEYS = 2_000
KEYS_PER_OPEN_TRACE = 32

# Evidence.
EVIDENCE_CHARS = 24_000
BAD_TRACES = 3
NORMAL_TRACES = 2
SPANS_PER_VIEW = 40
HANGING = 100  # requests that have not ended, the latest
EDGES = 40
ERROR_GROUPS = 10
FRAMES = 8
DEPLOYS = 20
SERIES_POINTS = 60
VIEW_CHARS = 120  # a name in evidence
VIEW_MESSAGE_CHARS = 300

# Log records.
LOG_RECORDS_PER_REQUEST = 10_000
RECORD_BYTES = 64 * 1024  # of one log record or data point as it is sent: nobody reads more, and it bounds what one can unfold to
LOG_BODY_CHARS = 400
LOG_TEMPLATE_CHARS = 200
LOG_STACKTRACE_CHARS = 3_000  # of a log record's exception, beginning and end
LOG_KEPT_S = 1_200
LOG_SERVICES = 300
LOG_TEMPLATES_PER_SERVICE = 50
LOG_TEMPLATES = 600  # each holds a count for every second of LOG_KEPT_S: 4.8 KB
LOG_TEMPLATES_PER_PLACE = 10  # texts logged at one place of the code; beyond them the place alone is the template
LOG_LINES_PER_TEMPLATE = 3
