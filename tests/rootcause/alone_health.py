"""Single traces that look like a fault and are none. Every function takes a Trace and writes one request into it."""

from __future__ import annotations

from functools import partial

from tests.rootcause.alone_world import CLIENT, CONSUMER, INTERNAL, PRODUCER, SERVER, Trace, call, query


def fan_out_over_distinct_keys(t: Trace) -> None:
    with t.span("search", "GET /search", SERVER):
        keys = range(t.draw.randint(12, 30))
        t.beside(*(partial(t.leaf, "search", "GET", 6, CLIENT, db__system="redis", db__statement=f"GET shard:{key}") for key in keys))
        t.work(4)


def scatter_to_many_shards(t: Trace) -> None:
    with t.span("search", "GET /search", SERVER):
        for shard in range(16):
            t.leaf("search", "query", 4, CLIENT, server__address=f"shard-{shard}.internal")


def pages_of_a_list(t: Trace) -> None:
    with t.span("sync", "GET /export", SERVER):
        for page in range(t.draw.randint(8, 20)):
            t.leaf("sync", "GET /items", 30, CLIENT, url__full=f"https://api.example/items?page={page}&size=100")


def pages_by_offset(t: Trace) -> None:
    with t.span("sync", "GET /export", SERVER):
        for page in range(t.draw.randint(8, 20)):
            query(t, "sync", 20, f"SELECT * FROM items ORDER BY id LIMIT 100 OFFSET {page * 100}")


def one_retry_that_helps(t: Trace) -> None:
    with t.span("shop", "POST /checkout", SERVER):
        call(t, "shop", "payment", "POST /charge", 20, "Unavailable: try again")
        t.work(50)
        call(t, "shop", "payment", "POST /charge", 20)


def two_retries_with_backoff_that_help(t: Trace) -> None:
    with t.span("shop", "POST /checkout", SERVER):
        for pause in (50, 120):
            call(t, "shop", "payment", "POST /charge", 20, "Unavailable: try again")
            t.work(pause)
        call(t, "shop", "payment", "POST /charge", 20)


def two_quick_retries_that_help(t: Trace) -> None:
    with t.span("shop", "POST /checkout", SERVER):
        for _ in range(2):
            call(t, "shop", "payment", "POST /charge", 20, "Unavailable: try again")
            t.work(1)
        call(t, "shop", "payment", "POST /charge", 20)


def patient_retries_that_help(t: Trace) -> None:
    with t.span("sync", "nightly sync", INTERNAL):
        for pause in (100, 200, 400, 800, 1_600):
            call(t, "sync", "partner", "GET /feed", 20, "Unavailable: try again")
            t.work(pause)
        call(t, "sync", "partner", "GET /feed", 20)


def totals_one_after_the_other(t: Trace) -> None:
    with t.span("report", "GET /year", SERVER):
        for month in range(12):
            query(t, "report", 400, f"SELECT sum(amount) FROM sales WHERE month = {month}")


def accepted_work_that_goes_on(t: Trace) -> None:
    with t.span("shop", "POST /video", SERVER):
        with t.span("shop", "POST /encode", CLIENT, http__response__status_code=202):
            began = t.now_ms
            with t.span("encoder", "POST /encode", SERVER):
                t.work(9_000)
            t.until(began + 137)
        t.work(4)


def batch_at_the_same_time(t: Trace) -> None:
    with t.span("thumbs", "POST /album", SERVER):
        t.beside(*(partial(call, t, "thumbs", "resize", "POST /resize", 45) for _ in range(24)))


def slow_but_normal_batch_job(t: Trace) -> None:
    with t.span("billing", "nightly invoices", INTERNAL):
        for _ in range(40):
            query(t, "billing", 900, "INSERT INTO invoices SELECT * FROM usage WHERE day = 3")


def batch_job_in_chunks(t: Trace) -> None:
    with t.span("billing", "nightly invoices", INTERNAL):
        for chunk in range(25):
            with t.span("billing", "chunk", INTERNAL):
                query(t, "billing", 300, f"SELECT * FROM usage WHERE id > {chunk * 500} ORDER BY id LIMIT 500")
                query(t, "billing", 200, "INSERT INTO invoices VALUES (?)")


def consumer_that_writes_row_by_row(t: Trace) -> None:
    with t.span("audit", "events process", CONSUMER):
        for _ in range(30):
            query(t, "audit", 2, "INSERT INTO events VALUES (?, ?)")


def work_handed_over_that_goes_on(t: Trace) -> None:
    with t.span("shop", "POST /order", SERVER):
        with t.span("shop", "orders publish", PRODUCER):
            began = t.now_ms
            with t.span("mailer", "orders process", CONSUMER):
                t.work(4_000)
            t.until(began + 3.7)
        t.work(9)


def cache_miss_that_is_handled(t: Trace) -> None:
    with t.span("profile", "GET /me", SERVER):
        t.leaf("profile", "GET", 1, CLIENT, "KeyError: not cached", db__system="redis")
        query(t, "profile", 8, "SELECT * FROM users WHERE id = 3")


def hedged_request(t: Trace) -> None:
    with t.span("front", "GET /rate", SERVER):

        def first() -> None:
            with t.span("front", "GET /rate", CLIENT, "Cancelled: cancelled"):
                began = t.now_ms
                with t.span("rates", "GET /rate", SERVER):
                    t.work(400)
                t.until(began + 103)

        def second() -> None:
            t.work(50)
            call(t, "front", "rates", "GET /rate", 50)

        t.beside(first, second)


def clock_that_is_ahead(t: Trace) -> None:
    t.skew_ms = {"stock": 180.0}
    with t.span("shop", "GET /item", SERVER):
        with t.span("shop", "GET /stock", CLIENT):
            began = t.now_ms
            t.leaf("stock", "GET /stock", 120, SERVER)
            t.until(began + 202)
        t.work(3)


def deep_but_plain_request(t: Trace) -> None:
    services = ("a", "b", "c", "d", "e", "f")

    def go(depth: int) -> None:
        with t.span(services[depth], "handle", SERVER):
            query(t, services[depth], 3, f"SELECT {depth} FROM t")
            if depth + 1 < len(services):
                with t.span(services[depth], "next", CLIENT):
                    go(depth + 1)

    go(0)


def a_few_lookups(t: Trace) -> None:
    with t.span("catalog", "GET /product", SERVER):
        for product in range(5):
            query(t, "catalog", 3, f"SELECT * FROM prices WHERE product_id = {product}")
        t.work(30)


def many_cheap_lookups_in_a_long_request(t: Trace) -> None:
    with t.span("pdf", "POST /render", SERVER):
        for _ in range(10):
            t.leaf("pdf", "GET", 0.4, CLIENT, db__system="redis", db__statement="GET font:7")
        t.leaf("pdf", "render", 1_500, INTERNAL)


HEALTH = (
    fan_out_over_distinct_keys,
    scatter_to_many_shards,
    pages_of_a_list,
    pages_by_offset,
    one_retry_that_helps,
    two_retries_with_backoff_that_help,
    two_quick_retries_that_help,
    patient_retries_that_help,
    totals_one_after_the_other,
    accepted_work_that_goes_on,
    batch_at_the_same_time,
    slow_but_normal_batch_job,
    batch_job_in_chunks,
    consumer_that_writes_row_by_row,
    work_handed_over_that_goes_on,
    cache_miss_that_is_handled,
    hedged_request,
    clock_that_is_ahead,
    deep_but_plain_request,
    a_few_lookups,
    many_cheap_lookups_in_a_long_request,
)
