"""Redis, PostgreSQL or the venue is away, forgets, or answers nonsense: orders wait, none is lost or doubled."""

import time
from concurrent.futures import ThreadPoolExecutor

import redis

from tests.flows.floor import Floor
from tests.flows.helpers import Trader, alert, wait_until


def test_redis_stopped_is_503_and_the_same_alert_is_accepted_later(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    before = floor.recorded()
    body = alert(trader)
    floor.desk.stop("redis")
    refused = floor.post(trader, body)
    assert refused.status_code == 503
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert int(refused.headers["Retry-After"]) > 0
    assert floor.recorded() == before
    floor.desk.start("redis")
    answer = floor.post(trader, body)
    assert answer.status_code in (200, 202)
    floor.wait_filled(trader, answer.json()["id"], seconds=35)
    assert floor.post(trader, body).status_code == 409


def test_redis_killed_under_a_running_order_loses_nothing(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("delay_after_ms", trader, ms=1000)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(floor.send, trader)
        wait_until("the venue has accepted", lambda: len(floor.ledger(trader, "accepted")) == 2)
        floor.desk.kill("redis")
        answer = sending.result()
    assert answer.status_code in (200, 202)
    floor.wait_filled(trader, answer.json()["id"], seconds=35)
    floor.desk.wait_ready("redis")
    after = floor.send(trader)
    assert after.status_code in (200, 202)
    floor.wait_filled(trader, after.json()["id"], seconds=35)


def test_postgresql_killed_under_a_running_order_loses_nothing(floor: Floor) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    floor.add_fault("delay_after_ms", trader, ms=1000)
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(floor.send, trader)
        wait_until("the venue has accepted", lambda: len(floor.ledger(trader, "accepted")) == 2)
        floor.desk.kill("postgres")
        answer = sending.result()
    assert answer.status_code in (200, 202)  # after the commit, never a 5xx
    floor.desk.wait_ready("postgres", "venue")
    order = floor.wait_filled(trader, answer.json()["id"])
    assert order["attempt"] == 1
    assert floor.worker_pid(trader) == pid


def test_a_full_redis_never_turns_a_recorded_order_into_an_error(floor: Floor) -> None:
    warm, cold = floor.traders(2)
    floor.warm_up(warm)
    with redis.Redis(unix_socket_path=str(floor.desk.home.run / "redis.sock")) as client:
        client.config_set("maxmemory", 1)  # it answers pings and takes no message
        try:
            answers = [floor.send(warm), floor.send(cold)]
        finally:
            client.config_set("maxmemory", 0)
    assert {answer.status_code for answer in answers} <= {200, 202}
    for trader, answer in zip((warm, cold), answers, strict=True):
        floor.wait_filled(trader, answer.json()["id"], seconds=35)


def test_postgresql_stopped_is_503_and_the_worker_comes_back_by_itself(floor: Floor) -> None:
    trader = floor.trader()
    pid = floor.warm_up(trader)
    body = alert(trader)
    floor.desk.stop("postgres")
    refused = floor.post(trader, body)
    assert refused.status_code == 503
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert floor.http.get("/readyz").status_code == 503
    floor.desk.start("postgres")
    answer = floor.post(trader, body)
    assert answer.status_code in (200, 202)
    floor.wait_filled(trader, answer.json()["id"])
    assert floor.worker_pid(trader) == pid
    sent_by = {event["pid"] for event in floor.events(answer.json()["id"]) if event["pid"]}
    assert sent_by == {pid}


def test_connections_that_postgresql_cuts_are_replaced_by_everybody(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    others = "datname = 'tradingsite' AND pid <> pg_backend_pid()"
    cut = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}"
    for _ in range(3):
        floor.desk_rows(cut)
        time.sleep(0.5)
    swept = "SELECT 1 FROM orders_heartbeat WHERE part = 'schedule' AND at > now() - interval '1 second'"
    wait_until("the sweeps sweep again", lambda: floor.desk_rows(swept))
    wait_until("the desk is ready", lambda: floor.http.get("/readyz").status_code == 200)
    answer = floor.send(trader)
    assert answer.status_code in (200, 202)
    floor.wait_filled(trader, answer.json()["id"])


def test_postgresql_away_for_longer_than_a_lease_is_survived(hasty_floor: Floor) -> None:
    trader, *others = hasty_floor.traders(5)
    for other in others:
        hasty_floor.warm_up(other)
    hasty_floor.warm_up(trader)
    fleet = hasty_floor.desk.pid("fleet")
    hasty_floor.desk.stop("postgres")
    assert hasty_floor.send(trader).status_code == 503
    time.sleep(5)  # the lease runs out by the clock of a database that does not run
    hasty_floor.desk.start("postgres")
    wait_until("the desk is ready", lambda: hasty_floor.http.get("/readyz").status_code == 200)
    wait_until("the venue is back", hasty_floor.venue_is_back)
    # As many as there may be workers, and one more: also those that only idle have to find their way back.
    for newcomer in [trader, *hasty_floor.traders(5)]:
        answer = hasty_floor.send(newcomer)
        assert answer.status_code in (200, 202)
        hasty_floor.wait_filled(newcomer, answer.json()["id"])
    assert hasty_floor.desk.pid("fleet") == fleet


def test_a_wiped_redis_is_not_noticed(floor: Floor) -> None:
    warm, cold = floor.traders(2)
    pid = floor.warm_up(warm)
    with redis.Redis(unix_socket_path=str(floor.desk.home.run / "redis.sock")) as client:
        client.flushall()
    answer = floor.send(warm)
    assert (answer.status_code, answer.json()["ord_status"]) == (200, "FILLED")
    assert floor.worker_pid(warm) == pid
    answer = floor.send(cold)
    assert (answer.status_code, answer.json()["ord_status"]) == (200, "FILLED")


def test_an_order_waits_for_a_venue_that_is_down(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.desk.stop("venue")
    answer = floor.send(trader)
    assert answer.status_code == 202
    order_id = answer.json()["id"]
    wait_until(
        "the worker has taken back what was not sent",
        lambda: "NotSent" in [event["kind"] for event in floor.events(order_id)],
    )
    floor.desk.start("venue")
    order = floor.wait_filled(trader, order_id)
    assert order["attempt"] > 1


def test_an_entry_that_nobody_could_send_in_time_is_denied(hasty_floor: Floor) -> None:
    trader = hasty_floor.trader()
    hasty_floor.warm_up(trader)
    hasty_floor.desk.stop("venue")
    answer = hasty_floor.send(trader)
    assert answer.status_code == 202
    order = hasty_floor.wait_status(answer.json()["id"], "DENIED")
    assert (order["reason"], bool(order["text"])) == ("TOO_OLD", True)
    hasty_floor.desk.start("venue")
    assert hasty_floor.times_at_venue(trader, order) == 0


def test_an_exit_waits_for_the_venue_however_long_it_takes(hasty_floor: Floor) -> None:
    trader = hasty_floor.trader()
    hasty_floor.warm_up(trader)
    hasty_floor.desk.stop("venue")
    answer = hasty_floor.send(trader, action="close_long", quantity=None)
    assert answer.status_code == 202
    time.sleep(5)  # an entry would have been denied by now
    assert hasty_floor.order(answer.json()["id"])["ord_status"] in ("INITIALIZED", "SUBMITTED")
    hasty_floor.desk.start("venue")
    hasty_floor.wait_filled(trader, answer.json()["id"])


def send_and_fill(floor: Floor, trader: Trader) -> list[str]:
    """Send an alert through a fault; return the kinds of what happened to its order."""
    answer = floor.send(trader)
    assert answer.status_code in (200, 202)
    floor.wait_filled(trader, answer.json()["id"])
    assert len(floor.ledger(trader, "accepted")) == 2
    return [event["kind"] for event in floor.events(answer.json()["id"])]


def test_an_answer_that_is_lost_is_found_by_asking(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("stream_silence", trader, count=None)
    floor.add_fault("drop_response_after_accepting", trader)
    kinds = send_and_fill(floor, trader)
    assert "OutcomeUnknown" in kinds
    assert kinds.count("Submitted") == 1


def test_an_answer_that_is_lost_is_told_by_the_stream(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("drop_response_after_accepting", trader)
    assert send_and_fill(floor, trader).count("Submitted") == 1


def test_an_error_after_accepting_is_not_taken_for_a_refusal(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("stream_silence", trader, count=None)
    floor.add_fault("error_after", trader, status=502)
    kinds = send_and_fill(floor, trader)
    assert kinds.count("Submitted") == 1


def test_an_error_before_accepting_is_sent_again_with_the_same_id(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("error_before", trader, status=500)
    kinds = send_and_fill(floor, trader)
    assert "OutcomeUnknown" in kinds
    assert kinds.count("Submitted") == 2


def test_a_connection_cut_before_accepting_is_sent_again(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("drop_before_accepting", trader)
    assert send_and_fill(floor, trader).count("Submitted") == 2


def test_too_many_requests_waits_as_long_as_the_venue_says(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("rate_limit", trader, retry_after=1)
    kinds = send_and_fill(floor, trader)
    assert "OutcomeUnknown" not in kinds
    assert kinds.count("Submitted") == 2


def test_a_refusal_is_final(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("refuse", trader, status=403, code=40310000, message="no such luck")
    answer = floor.send(trader)
    order = answer.json()
    assert (answer.status_code, order["ord_status"]) == (200, "REJECTED")
    assert "no such luck" in order["text"]


def test_a_silent_stream_is_made_up_for_by_asking(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("stream_silence", trader, count=None)
    assert send_and_fill(floor, trader).count("Submitted") == 1


def test_what_the_stream_tells_twice_counts_once(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    floor.add_fault("stream_duplicate", trader, count=None)
    answer = floor.send(trader, quantity=5)
    order = floor.wait_filled(trader, answer.json()["id"])
    fills = floor.desk_rows("SELECT last_qty FROM orders_execution WHERE order_id = %s", order["id"])
    assert sum(fill["last_qty"] for fill in fills) == order["cum_qty"] == 5


def test_partial_fills_add_up(floor: Floor) -> None:
    trader = floor.trader()
    floor.warm_up(trader)
    steps = [{"fraction": 0.4, "delay_ms": 20}, {"fraction": 0.4, "delay_ms": 50}]
    floor.add_fault("fill_plan", trader, fills=steps, then="fill")
    answer = floor.send(trader, quantity=10)
    assert (answer.status_code, answer.json()["cum_qty"]) == (200, "10")
    fills = floor.ledger(trader, "fill")
    assert len(fills) == 4  # one of them of the first order
