import pytest
from tests.machine.desk_machine import DeskMachine
from tests.machine.venue import Weather
from tests.machine.workers import End, Fate
from orders.models import Order
A = dict(account=0, symbol="AAPL", action="buy", order_type="entry", quantity="5", price="100")
N = Fate()

def show(m, what):
    m.stage.audit.check()
    o = Order.objects.get(user=m.stage.desk.user)
    print(what, o.ord_status, "attempt", o.attempt, "next_check", o.next_check_at, [x.status for b in m.stage.books for x in b.orders], [w.passed[-3:] for w in m.stage.workers], list(o.events.values_list("kind", flat=True)))

@pytest.mark.usefixtures("quick")
def test_late_refusal():
    m = DeskMachine()
    m.stage.alert(N, **A)
    m.turn(0, 0, [Weather.REFUSED], Fate(End.PAUSE, 4)); show(m, "paused")
    m.expire(0, True)
    for _ in range(8):
        m.turn(0, 4, [], N)
    m.turn(0, 31, [], N); show(m, "w2")
    m.resume(0, [], N); show(m, "resumed")
    m.teardown()


def until_taken_back(m):
    for _ in range(9):
        m.turn(0, 4, [Weather.FAIR], Fate(End.CRASH, 0) if False else N); m.stage.audit.check()
        o = Order.objects.get(user=m.stage.desk.user)
        if o.ord_status == "INITIALIZED": return

@pytest.mark.usefixtures("quick")
def test_late_arrival_after_refusal():
    m = DeskMachine()
    m.stage.alert(N, **A)
    m.turn(0, 0, [Weather.LATE, Weather.FAIR], N); show(m, "late")
    m.turn(0, 4, [], N); show(m, "looked")
    m.turn(0, 4, [], N); show(m, "looked")
    m.turn(0, 4, [], N); show(m, "looked")
    m.turn(0, 4, [Weather.REFUSED], N); show(m, "refused")
    m.kill(0)
    m.stage.books[0].arrive(0); show(m, "arrived, nobody listens")
    m.teardown()

@pytest.mark.usefixtures("quick")
def test_late_arrival_after_denial():
    m = DeskMachine()
    m.stage.alert(N, **A)
    m.turn(0, 0, [Weather.LATE, Weather.FAIR], N)
    m.turn(0, 4, [], N); m.turn(0, 4, [], N); m.turn(0, 4, [], N); show(m, "looked")
    m.sweep(N); show(m, "swept")
    for _ in range(7):
        m.turn(0, 31, [], N)
    show(m, "checked"); m.kill(0); m.stage.books[0].arrive(0); show(m, "arrived")
    m.teardown()
