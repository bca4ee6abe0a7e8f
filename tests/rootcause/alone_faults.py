"""Single traces with one fault each, and who is to blame. Every function takes a Trace and writes one request into it."""

from __future__ import annotations

from collections.abc import Callable

from tests.rootcause.alone_world import CLIENT, CONSUMER, INTERNAL, SERVER, Trace, call, query


def n_plus_one_in_the_database(t: Trace) -> None:
    with t.span("catalog", "GET /products", SERVER):
        query(t, "catalog", 6, "SELECT id FROM products WHERE category = 7")
        for product in range(t.draw.randint(12, 60)):
            query(t, "catalog", 3, f"SELECT * FROM prices WHERE product_id = {product * 17}")
        t.work(8)


def n_plus_one_over_http_through_a_gateway(t: Trace) -> None:
    with t.span("edge", "GET /cart", SERVER):
        with t.span("edge", "cart", CLIENT):
            with t.span("cart", "GET /cart", SERVER):
                query(t, "cart", 4, "SELECT * FROM lines WHERE cart = 1")
                for item in range(t.draw.randint(9, 30)):
                    call(t, "cart", "stock", f"GET /stock/{item + 100}", 7)
                t.work(5)


def n_plus_one_behind_a_repository_class(t: Trace) -> None:
    with t.span("orders", "GET /orders", SERVER):
        with t.span("orders", "OrderService.list", INTERNAL):
            query(t, "orders", 5, "SELECT id FROM orders")
            for order in range(t.draw.randint(10, 40)):
                with t.span("orders", "CustomerRepository.findById", INTERNAL):
                    query(t, "orders", 2, f"SELECT * FROM customers WHERE id = '{order}' LIMIT 1")
            t.work(2)


def n_plus_one_of_a_message_consumer(t: Trace) -> None:
    with t.span("mailer", "orders process", CONSUMER):
        for customer in range(t.draw.randint(15, 50)):
            query(t, "mailer", 2, f"SELECT email FROM customers WHERE id = {customer}")
        t.work(3)


def retry_storm(t: Trace) -> None:
    with t.span("shop", "POST /checkout", SERVER, "Unavailable: payment is down"):
        for _ in range(t.draw.randint(6, 14)):
            call(t, "shop", "payment", "POST /charge", 20, "Unavailable: overloaded")
            t.work(2)


def retry_storm_that_wins_at_last(t: Trace) -> None:
    with t.span("shop", "POST /checkout", SERVER):
        for _ in range(t.draw.randint(6, 9)):
            call(t, "shop", "payment", "POST /charge", 20, "Unavailable: overloaded")
        call(t, "shop", "payment", "POST /charge", 20)
        t.work(3)


def retries_that_multiply_over_layers(t: Trace) -> None:
    said = "Unavailable: no"
    with t.span("edge", "POST /order", SERVER, said):
        for _ in range(3):
            with t.span("edge", "order", CLIENT, said), t.span("order", "POST /order", SERVER, said):
                for _ in range(3):
                    call(t, "order", "ledger", "POST /book", 9, said)
                    t.work(1)


def asked_too_often(t: Trace) -> None:
    with t.span("report", "GET /report", SERVER, "TooMany: 429 Too Many Requests"):
        for _ in range(4):
            call(t, "report", "rates", "GET /rates", 4, "TooMany: 429 Too Many Requests")
            t.work(2)


def masked_timeout_while_the_callee_goes_on(t: Trace) -> None:
    with t.span("page", "GET /page", SERVER):
        with t.span("page", "recommend", CLIENT, "Timeout: deadline exceeded"):
            began = t.now_ms
            with t.span("recommend", "GET /recommend", SERVER):
                t.work(5)
                query(t, "recommend", 3_400, "SELECT * FROM history")
            t.until(began + 1_000 + t.draw.uniform(0.5, 8))
        t.leaf("page", "render without recommendations", 12)


def masked_timeout_that_nobody_marked(t: Trace) -> None:
    with t.span("page", "GET /page", SERVER):
        with t.span("page", "score", CLIENT):
            began = t.now_ms
            with t.span("score", "GET /score", SERVER):
                t.work(3)
                with t.span("score", "model", CLIENT), t.span("model", "predict", SERVER):
                    t.work(2_600)
            t.until(began + 500 + t.draw.uniform(0.5, 5))
        t.leaf("page", "default score", 2)


def cascade_from_the_deepest(t: Trace) -> None:
    with t.span("edge", "GET /quote", SERVER, "500: upstream"):
        t.work(2)
        with t.span("edge", "quote", CLIENT, "500: upstream"), t.span("quote", "GET /quote", SERVER, "500: upstream"):
            call(t, "quote", "profile", "GET /profile", 6)
            with t.span("quote", "risk", CLIENT, "500: upstream"), t.span("risk", "POST /risk", SERVER, "NullPointer: no such field"):
                query(t, "risk", 3, "SELECT * FROM rules")
                t.leaf("risk", "evaluate", 2, INTERNAL, "NullPointer: no such field")


def cascade_from_a_database_that_refuses(t: Trace) -> None:
    refused = "ConnectionRefused: connection refused"
    with t.span("edge", "GET /account", SERVER, "503: x"):
        with (
            t.span("edge", "account", CLIENT, "503: x"),
            t.span("account", "GET /account", SERVER, refused),
        ):
            query(t, "account", 3, "SELECT * FROM accounts WHERE id = 4", refused)


def cascade_from_a_service_that_does_not_answer(t: Trace) -> None:
    call(t, "edge", "tax", "GET /tax", 4)
    with t.span("edge", "GET /bill", SERVER, "503: x"):
        t.leaf("edge", "GET /tax", 2, CLIENT, "ConnectionRefused: connection refused", peer__service="tax")


FAULTS: dict[Callable[[Trace], None], str] = {
    n_plus_one_in_the_database: "catalog",
    n_plus_one_over_http_through_a_gateway: "cart",
    n_plus_one_behind_a_repository_class: "orders",
    n_plus_one_of_a_message_consumer: "mailer",
    retry_storm: "shop",
    retry_storm_that_wins_at_last: "shop",
    retries_that_multiply_over_layers: "edge",
    asked_too_often: "report",
    masked_timeout_while_the_callee_goes_on: "recommend",
    masked_timeout_that_nobody_marked: "model",
    cascade_from_the_deepest: "risk",
    cascade_from_a_database_that_refuses: "account",
    cascade_from_a_service_that_does_not_answer: "tax",
}
