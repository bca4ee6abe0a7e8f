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

# Series: counts and sketches of all spans, by second and then by coarser slices.
SERIES_KEYS = 4_000
SERIES_KEYS_PER_SERVICE = 1_000
SERIES_LOG = 131_072  # spans that may wait to be sorted into their series, 8 bytes each
SERIES_FRESH_S = 30  # a second that nobody has asked for by then goes into the past without being handed out
SERIES_LEVELS_S = ((1, 15), (15, 120), (120, 600))  # (length of a slice, age at which it goes into the next coarser one or is dropped)
SERIES_BYTES = 24 * 1024 * 1024  # of the past; beyond it the oldest slices go first

# Detail: spans that become objects of their own. Past it whole traces are left out, by their ids; every span is counted all the same.
DETAIL_SPANS_PER_S = 500
DETAIL_BURST = 5_000  # at once, such as what exporters held back while this process was away
DETAIL_PER_REQUEST = 2_500  # whatever their ids are: a tenth of a second of work
DETAIL_FORCED_PER_S = 100  # failed and slow spans of the traces that are left out
DETAIL_CALM_S = 10  # seconds of little traffic before more is kept again
SPAN_BYTES = 250  # of the smallest spans that exporters send: a guess at how many a body holds, before it is read
RESOURCES_PER_REQUEST = 2_000
GROUPS_PER_REQUEST = 50_000  # resources with their spans that Python looks at, and moments between them: a tenth of a second
LARGEST_SPAN_BYTES = 256 * 1024  # as it is sent, and of one resource: unfolded it takes up to 35 times as much
SPAN_PARTS = 500_000  # attributes and events that Python unfolds for one request, groups and spans counted below: a second of work
PARTS_OF_SPAN = 10  # what reading one costs beside its attributes, in attributes
PARTS_OF_GROUP = 20  # the same of a resource with its spans
TAUGHT_RESOURCE_BYTES = 4 * 1024 * 1024  # of all resources that the kernel remembers
REPEATS_S = 60.0  # a request that comes again within this is an exporter's second try
REPEATS = 20_000

# The store.
STORED_SPANS = 30_000
STORED_S = 1_200.0
SPANS_PER_TRACE = 1_000
DISTINCT_STACKTRACES = 200
POOLED_STRINGS = 6_000
SERVICES = 300
COMMITS_PER_SERVICE = 20
PEERS = 2_000
CALLS = 2_000  # from an operation to a callee, when signals are put into groups
EXTRA_KEYS = 16  # further attributes of a span, its resource's included
EXTRA_KEY_CHARS = 60
EXTRA_VALUE_CHARS = 60
EXTRA_VALUES = 40  # different ones of a key at one service within STORED_S: with more it is an id or a measurement
EXTRA_NAMES = 300  # keys, counted at each service
EXTRA_SETS = 2_000
COMMITS_PER_OBJECTIVE = 500
REQUESTS_PER_OBJECTIVE = 20_000

# Requests that began and did not end.
OPEN_TRACES = 2_000
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
DIFFERENCES = 10
CHANGES = 10
LOG_GROUPS = 8
VIEW_CHARS = 120  # a name in evidence
VIEW_MESSAGE_CHARS = 300

# Log records.
LOG_RECORDS_PER_REQUEST = 10_000
RECORD_BYTES = 64 * 1024  # of one log record or data point as it is sent: nobody reads more, and it bounds what one can unfold to
LOG_BODY_CHARS = 400
LOG_STACKTRACE_CHARS = 3_000  # of a log record's exception, beginning and end
LOG_KEPT_S = 1_200
LOG_SERVICES = 300
LOG_TEMPLATES_PER_SERVICE = 50
LOG_TEMPLATES = 600  # each holds a count for every second of LOG_KEPT_S: 4.8 KB
LOG_TEMPLATES_PER_PLACE = 10  # texts logged at one place of the code; beyond them the place alone is the template
LOG_LINES_PER_TEMPLATE = 3

# Metrics and logs as they arrive.
WALKED_FIELDS = 100_000  # of the outer levels of one protobuf body: groups, metrics, records, points; 0.1 s of walking
JSON_PARTS = 400_000  # objects and lists in one JSON body: 72 bytes each, empty ones too
NUMBER_CHARS = 40  # of a number that JSON sends as text
VALUE_DEPTH = 6  # of lists and maps in a log body
VALUE_ITEMS = 40  # of one list or map
JSON_BODY_CHARS = 16_000  # a log text that is itself JSON is read up to this length
POINTS_PER_REQUEST = 10_000
METRIC_NAME_CHARS = 200
UNIT_CHARS = 40
POINT_ATTRIBUTES = 12
ATTRIBUTE_KEY_CHARS = 80
ATTRIBUTE_VALUE_CHARS = 80
HISTOGRAM_BUCKETS = 320  # twice what SDKs send at most by default
QUANTILES = 20  # of one summary

# Metric series: what counters and histograms said last, and the gauges of the last minutes.
METRIC_SERIES = 5_000
METRIC_SERIES_PER_SERVICE = 1_000
METRIC_QUIET_S = 600.0  # a series not heard of for so long gives its place to a new one
GAUGE_POINTS = 60  # of each gauge, 16 bytes each
GAUGE_KEPT_S = 900.0
