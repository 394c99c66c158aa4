"""What a command's fate proves: each way that an answer can go wrong, on a real socket."""

from __future__ import annotations

import socket
import time
import traceback
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.alpaca.adapter import AlpacaAdapter
from brokers.errors import (
    BrokerUnavailable,
    CredentialsRefused,
    MarketClosed,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
)
from brokers.types import CancelOrder, ExecType, OrdStatus, OrdType, ReplaceOrder
from tests.brokers.conftest import KEY_ID, SECRET, make_adapter
from tests.brokers.payloads import ORDER_ID, OTHER_ID, do_nothing, new_order, order
from tests.fixtures.scripted_http import (
    Answer,
    ScriptedServer,
    answer,
    half_an_answer,
    hang_up,
    reset,
    stay_silent,
)


class TooLateError(Exception):
    """The lease's deadline has passed."""


def test_sends_the_order_once_as_text(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    server.script.append(answer(200, order()))
    report = adapter.submit_order(
        new_order(order_qty=Decimal("0.100000001"), price=Decimal("1E+2")), before_send=do_nothing
    )
    assert report.exec_type is ExecType.PENDING_NEW
    assert report.ord_status is OrdStatus.PENDING_NEW
    assert report.broker_order_id == ORDER_ID
    (sent,) = server.requests
    assert sent.line == "POST /v2/orders HTTP/1.1"
    assert sent.headers["apca-api-key-id"] == KEY_ID
    assert sent.headers["apca-api-secret-key"] == SECRET
    assert sent.json["client_order_id"] == "0aBcDeFgHiJkLmNoPqRsTu"
    assert sent.json["qty"] == "0.100000001"
    assert sent.json["limit_price"] == "100"


def test_a_target_and_its_stop_are_one_order(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    leg = order() | {"id": OTHER_ID, "client_order_id": "alpaca-chose-this", "type": "stop", "status": "held"}
    server.script.append(answer(200, order() | {"order_class": "oco", "legs": [leg]}))
    report = adapter.submit_order(
        new_order(ord_type=OrdType.LIMIT, price=Decimal("104.5"), oco_stop_px=Decimal("98.10")),
        before_send=do_nothing,
    )
    (sent,) = server.requests
    assert (sent.json["order_class"], sent.json["type"]) == ("oco", "limit")
    assert sent.json["take_profit"] == {"limit_price": "104.5"}
    assert sent.json["stop_loss"] == {"stop_price": "98.10"}
    (stop,) = report.legs
    assert (stop.broker_order_id, stop.cl_ord_id) == (OTHER_ID, "alpaca-chose-this")
    assert stop.ord_status is OrdStatus.PENDING_NEW


def test_a_look_up_of_a_pair_asks_again_for_its_legs(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    bare = order() | {"order_class": "oco", "type": "limit", "legs": None}
    leg = order() | {"id": OTHER_ID, "client_order_id": "alpaca-chose-this", "type": "stop", "status": "held"}
    server.script += [answer(200, bare), answer(200, bare | {"legs": [leg]})]
    found = adapter.get_order(order()["client_order_id"])
    assert found is not None
    assert [one.broker_order_id for one in found.legs] == [OTHER_ID]
    assert server.requests[1].line == f"GET /v2/orders/{ORDER_ID}?nested=true HTTP/1.1"


@pytest.mark.parametrize(
    ("distance", "field", "text"),
    [
        ({"trail_offset": Decimal("2.50")}, "trail_price", "2.50"),
        ({"trail_percent": Decimal(3)}, "trail_percent", "3"),
    ],
)
def test_a_trailing_stop_names_one_distance(
    adapter: AlpacaAdapter, server: ScriptedServer, distance: dict[str, Decimal], field: str, text: str
) -> None:
    server.script.append(answer(200, order()))
    terms = {"ord_type": OrdType.TRAILING_STOP, "price": None}
    adapter.submit_order(new_order(**terms, **distance), before_send=do_nothing)
    (sent,) = server.requests
    assert (sent.json["type"], sent.json[field]) == ("trailing_stop", text)
    assert not {"limit_price", "stop_price", "order_class"} & set(sent.json)


@pytest.mark.parametrize(
    "fate",
    [
        stay_silent,
        hang_up,
        reset,
        half_an_answer,
        answer(500, {"code": 50010000, "message": "internal server error"}),
        answer(502, "<html>bad gateway</html>"),
        answer(503, {"code": 50310000, "message": "service unavailable"}),
        answer(504, ""),
        answer(408, {"message": "request timeout"}),
        answer(301, "", Location="http://127.0.0.1:1/"),
        answer(403, "<html>blocked</html>"),
        answer(422, "not json"),
        answer(200, ""),
        answer(200, "{"),
        answer(200, '{"id": NaN}'),
        answer(200, []),
        answer(200, order(status="levitating")),
        answer(200, order(qty=True)),
        answer(200, order(client_order_id="somebody-elses")),
    ],
)
def test_says_unknown_and_sends_nothing_again(
    adapter: AlpacaAdapter, server: ScriptedServer, fate: Answer
) -> None:
    server.script.append(fate)
    with pytest.raises(OutcomeUnknown):
        adapter.submit_order(new_order(), before_send=do_nothing)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, {"code": 40310000, "message": "insufficient buying power"}, "40310000"),
        (422, {"code": 42210000, "message": "invalid qty"}, "42210000"),
        (422, {"code": 40010001, "message": "qty must be > 0"}, "40010001"),
        (400, {"code": 40010000, "message": "request body format is invalid"}, "40010000"),
        (404, {"code": 40410000, "message": 'asset "X" not found'}, "40410000"),
    ],
)
def test_rejects_on_a_proven_refusal(
    adapter: AlpacaAdapter, server: ScriptedServer, status: int, body: dict[str, object], code: str
) -> None:
    server.script.append(answer(status, body))
    with pytest.raises(OrderRejected) as caught:
        adapter.submit_order(new_order(), before_send=do_nothing)
    assert caught.value.reason == body["message"]
    assert caught.value.broker_code == code


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "2.5"}, 2.5),
        ({}, 5.0),
        ({"Retry_After": "soon"}, 5.0),
        ({"Retry_After": "86400"}, 60.0),
        ({"Retry_After": "Fri, 31 Dec 2099 23:59:59 GMT"}, 60.0),
        ({"Retry_After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
    ],
)
def test_a_429_is_proven_not_sent(
    adapter: AlpacaAdapter, server: ScriptedServer, headers: dict[str, str], seconds: float
) -> None:
    server.script.append(answer(429, {"message": "rate limit exceeded"}, **headers))
    with pytest.raises(RateLimited) as caught:
        adapter.submit_order(new_order(), before_send=do_nothing)
    assert caught.value.retry_after_seconds == seconds
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, {"message": "unauthorized."}), (401, ""), (403, {"message": "forbidden."})],
)
def test_refused_credentials_are_proven_not_sent(
    adapter: AlpacaAdapter, server: ScriptedServer, status: int, body: object
) -> None:
    server.script.append(answer(status, body))
    with pytest.raises(CredentialsRefused):
        adapter.submit_order(new_order(), before_send=do_nothing)


def test_a_closed_market_says_when_it_opens(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    server.script.append(answer(403, {"code": 40310000, "message": "market is closed"}))
    server.script.append(answer(200, {"is_open": False, "next_open": "2026-11-23T09:30:00-05:00"}))
    with pytest.raises(MarketClosed) as caught:
        adapter.submit_order(new_order(), before_send=do_nothing)
    assert caught.value.next_open == datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


def test_a_closed_market_without_a_clock(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    server.script.append(answer(403, {"code": 40310000, "message": "market is closed"}))
    server.script.append(answer(500, ""))
    with pytest.raises(MarketClosed) as caught:
        adapter.submit_order(new_order(), before_send=do_nothing)
    assert caught.value.next_open is None


def test_a_duplicate_is_the_order_itself(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    server.script.append(answer(422, {"code": 40010001, "message": "client_order_id must be unique"}))
    server.script.append(answer(200, order(status="filled", filled_qty="15", filled_avg_price="10.5")))
    report = adapter.submit_order(new_order(), before_send=do_nothing)
    assert report.exec_type is ExecType.ORDER_STATUS
    assert report.ord_status is OrdStatus.FILLED
    assert report.cum_qty == Decimal(15)
    assert report.avg_px == Decimal("10.5")
    assert server.requests[1].line.startswith(
        "GET /v2/orders:by_client_order_id?client_order_id=0aBcDeFgHiJkLmNoPqRsTu "
    )


@pytest.mark.parametrize(
    "look_up",
    [
        answer(404, {"code": 40410000, "message": "order not found"}),
        answer(503, ""),
        answer(429, ""),
        hang_up,
    ],
)
def test_a_duplicate_that_cannot_be_read_is_never_called_not_sent(
    adapter: AlpacaAdapter, server: ScriptedServer, look_up: Answer
) -> None:
    server.script.append(answer(422, {"code": 40010001, "message": "client_order_id must be unique"}))
    server.script.append(look_up)
    with pytest.raises(OutcomeUnknown):
        adapter.submit_order(new_order(), before_send=do_nothing)


def test_nobody_listens_is_proven_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    adapter = make_adapter(url)
    with pytest.raises(BrokerUnavailable):
        adapter.submit_order(new_order(), before_send=do_nothing)


def test_no_such_host_is_proven_not_sent() -> None:
    adapter = make_adapter("http://no-such-host.invalid")
    with pytest.raises(BrokerUnavailable):
        adapter.submit_order(new_order(), before_send=do_nothing)


def test_a_failed_tls_handshake_is_proven_not_sent(server: ScriptedServer) -> None:
    adapter = make_adapter(server.url.replace("http", "https"))
    with pytest.raises(BrokerUnavailable):
        adapter.submit_order(new_order(), before_send=do_nothing)


@pytest.mark.parametrize("refusal", [TooLateError("late"), TimeoutError("late"), BrokenPipeError("late")])
def test_the_guard_has_the_last_word(
    adapter: AlpacaAdapter, server: ScriptedServer, refusal: Exception
) -> None:
    def forbid() -> None:
        # Asked only once connected: nothing that takes time is left but the write.
        deadline = time.monotonic() + 2
        while server.connections == 0 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert server.connections == 1
        raise refusal

    with pytest.raises(type(refusal)) as caught:
        adapter.submit_order(new_order(), before_send=forbid)
    assert caught.value is refusal
    assert server.requests == []
    server.script.append(answer(200, order()))
    adapter.submit_order(new_order(), before_send=do_nothing)
    assert len(server.requests) == 1


def test_the_guard_is_not_asked_where_there_is_no_connection() -> None:
    def forbid() -> None:
        raise AssertionError("asked without a connection")

    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(BrokerUnavailable):
        make_adapter(url).submit_order(new_order(), before_send=forbid)


def test_a_connection_that_the_server_closed_is_not_an_unknown_outcome(
    adapter: AlpacaAdapter, server: ScriptedServer
) -> None:
    server.script.extend([answer(200, order()), answer(200, order())])
    adapter.submit_order(new_order(), before_send=do_nothing)
    server.drop_connections()
    adapter.submit_order(new_order(), before_send=do_nothing)
    assert server.connections == 2


def test_connections_are_kept_and_dropped_when_long_idle(server: ScriptedServer) -> None:
    adapter = make_adapter(server.url, max_idle_seconds=0.1)
    server.script.extend([answer(200, order())] * 3)
    adapter.submit_order(new_order(), before_send=do_nothing)
    adapter.submit_order(new_order(), before_send=do_nothing)
    assert server.connections == 1
    time.sleep(0.15)
    adapter.submit_order(new_order(), before_send=do_nothing)
    assert server.connections == 2


def test_cancels_one_order(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    server.script.append(answer(204))
    request = CancelOrder(cl_ord_id="c1", orig_cl_ord_id="o1", broker_order_id=ORDER_ID)
    adapter.cancel_order(request, before_send=do_nothing)
    assert server.requests[0].line == f"DELETE /v2/orders/{ORDER_ID} HTTP/1.1"


@pytest.mark.parametrize("broker_order_id", ["", " ", "..", "*"])
def test_a_cancel_without_an_id_must_not_cancel_them_all(
    adapter: AlpacaAdapter, server: ScriptedServer, broker_order_id: str
) -> None:
    request = CancelOrder(cl_ord_id="c1", orig_cl_ord_id="o1", broker_order_id=broker_order_id)
    with pytest.raises(ValueError, match="UUID"):
        adapter.cancel_order(request, before_send=do_nothing)
    assert server.requests == []


def test_a_cancel_that_comes_too_late_is_refused(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    server.script.append(answer(422, {"code": 42210000, "message": "order is not cancelable"}))
    request = CancelOrder(cl_ord_id="c1", orig_cl_ord_id="o1", broker_order_id=ORDER_ID)
    with pytest.raises(OrderRejected):
        adapter.cancel_order(request, before_send=do_nothing)


def test_a_replacement_takes_the_new_id(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    server.script.append(answer(200, order(status="new")))
    server.script.append(
        answer(200, order(id=OTHER_ID, client_order_id="second", status="accepted", replaces=ORDER_ID))
    )
    adapter.submit_order(new_order(), before_send=do_nothing)
    request = ReplaceOrder(
        cl_ord_id="second",
        orig_cl_ord_id="0aBcDeFgHiJkLmNoPqRsTu",
        broker_order_id=ORDER_ID,
        order_qty=Decimal("2.5"),
        price=Decimal("10.05"),
    )
    report = adapter.replace_order(request, before_send=do_nothing)
    sent = server.requests[1]
    assert sent.line == f"PATCH /v2/orders/{ORDER_ID} HTTP/1.1"
    assert sent.json == {"client_order_id": "second", "qty": "2.5", "limit_price": "10.05"}
    assert report.broker_order_id == OTHER_ID
    assert report.replaces == ORDER_ID
    assert report.orig_cl_ord_id == "0aBcDeFgHiJkLmNoPqRsTu"


def test_our_own_pace_refuses_before_anything_is_sent(server: ScriptedServer) -> None:
    adapter = make_adapter(server.url, requests_per_minute=2)
    server.script.extend([answer(200, order())] * 2)
    adapter.submit_order(new_order(), before_send=do_nothing)
    adapter.submit_order(new_order(), before_send=do_nothing)
    with pytest.raises(RateLimited) as caught:
        adapter.submit_order(new_order(), before_send=do_nothing)
    assert 55 < caught.value.retry_after_seconds <= 60
    assert len(server.requests) == 2


@pytest.mark.parametrize("fate", [stay_silent, hang_up, answer(500, ""), answer(401, ""), answer(200, "{")])
def test_no_error_shows_a_secret(adapter: AlpacaAdapter, server: ScriptedServer, fate: Answer) -> None:
    server.script.append(fate)
    with pytest.raises(Exception) as caught:
        adapter.submit_order(new_order(), before_send=do_nothing)
    assert_no_secret(caught.value)


def test_the_guards_exception_shows_no_secret(adapter: AlpacaAdapter, server: ScriptedServer) -> None:
    def forbid() -> None:
        raise TooLateError("late")

    with pytest.raises(TooLateError) as caught:
        adapter.submit_order(new_order(), before_send=forbid)
    assert_no_secret(caught.value)
    assert SECRET not in repr(vars(adapter))


def assert_no_secret(error: BaseException) -> None:
    """Look where error pages look: the message, the chain and each frame's locals."""
    assert error.__context__ is None
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = "".join(shown.format())
    assert "submit_order" in text
    # pytest's own frame has the module's globals in reach, not in its locals.
    assert SECRET not in text
    assert KEY_ID not in text
