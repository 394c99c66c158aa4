"""Every outside effect has a failpoint next to it, or a stated reason; and the scan that says so bites."""

import pytest

from tests.failpoints.effects import Effect, Place, find_effects, points_in, sources
from tests.failpoints.excused import NOT_ON_AN_ORDERS_WAY, PASSED_ON, SHOWN_ELSEWHERE

KINDS = {place: kind for place, (kind, _) in PASSED_ON.items()}


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return sources()


@pytest.fixture(scope="module")
def effects(texts: dict[str, str]) -> list[Effect]:
    return find_effects(texts, KINDS)


def name_of(effect: Effect) -> str:
    return f"{effect.place} {effect.kind}"


def unexcused(effects: list[Effect]) -> list[str]:
    return [
        str(effect)
        for effect in effects
        if effect.bare
        and name_of(effect) not in SHOWN_ELSEWHERE
        and name_of(effect) not in NOT_ON_AN_ORDERS_WAY
        and effect.place.path not in NOT_ON_AN_ORDERS_WAY
    ]


def test_every_outside_effect_has_a_point_next_to_it(effects: list[Effect]) -> None:
    assert unexcused(effects) == []


def test_the_scan_sees_the_whole_way_of_an_order(effects: list[Effect]) -> None:
    seen = {(effect.place.name, effect.kind.split(":")[0]) for effect in effects}
    assert seen >= {
        ("record_alert", "commit"),
        ("_ring", "publish"),
        ("claim", "publish"),
        ("WorkerProcess._take", "write"),
        ("begin_submission", "commit"),
        ("submit_order", "broker"),
        ("apply_execution_reports", "commit"),
        ("_ask", "broker"),
        ("verify_account", "broker"),
        ("Supervisor._fork", "process"),
        ("Supervisor._reap", "write"),
        ("Supervisor._kill_wedged", "process"),
    }


# --- the tables hold nothing that is not needed ---


def test_every_function_that_is_passed_on_has_an_effect_and_a_caller(texts: dict[str, str]) -> None:
    all_of_it = {str(effect.place) for effect in find_effects(texts)}
    without = {place: dict(KINDS) for place in KINDS}
    for place, others in without.items():
        del others[place]
    direct = {
        place
        for place, others in without.items()
        if any(str(one.place) == place for one in find_effects(texts, others, within=place.split(":")[0]))
    }
    assert set(KINDS) - all_of_it - direct == set()
    called = {effect.kind.partition(": ")[2] for effect in find_effects(texts, KINDS)}
    calls_anywhere = " ".join(texts.values())
    for place in KINDS:
        name = Place(*place.split(":")).short_name
        assert name in called or calls_anywhere.count(f"{name}(") > 1, f"nobody calls {place}"


def test_what_is_shown_elsewhere_is_bare_here_and_has_its_point_there(
    texts: dict[str, str], effects: list[Effect]
) -> None:
    bare = {name_of(effect) for effect in effects if effect.bare}
    assert set(SHOWN_ELSEWHERE) - bare == set()
    with_points = {str(place) for place, _ in points_in(texts)}
    assert {there for there, _ in SHOWN_ELSEWHERE.values()} - with_points == set()


def test_what_is_not_on_an_orders_way_still_has_its_effect(effects: list[Effect]) -> None:
    bare = {name for effect in effects if effect.bare for name in (name_of(effect), effect.place.path)}
    assert set(NOT_ON_AN_ORDERS_WAY) - bare == set()


# --- it bites ---


@pytest.mark.parametrize(
    ("path", "points"),
    [
        ("orders/services/intake.py", ["record.before_commit", "record.after_commit"]),
        ("orders/services/submission.py", ["submit.before_commit", "submit.after_commit"]),
        ("orders/services/submission.py", ["submit.before", "send.after"]),
        ("orders/services/submission_answers.py", ["undo.before_commit", "undo.after_commit"]),
        ("orders/services/submission_answers.py", ["unknown.after_commit"]),
        ("orders/services/unsent.py", ["deny.before_commit", "deny.after_commit"]),
        ("orders/services/executions.py", ["report.before_commit", "report.after_commit"]),
        ("orders/services/lookup.py", ["lookup.before", "lookup.after"]),
        ("orders/services/verification.py", ["check.noted"]),
        ("orders/services/requests.py", ["request.record.before_commit", "request.record.after_commit"]),
        ("orders/services/request_sending.py", ["request.before_commit", "request.after_commit"]),
        ("orders/services/request_sending.py", ["cancel.after", "replace.after"]),
        ("tasks/dispatch.py", ["bell.before", "bell.after"]),
        ("tasks/dispatch.py", ["nudge.marked"]),
        ("tasks/routing.py", ["claim.before", "claim.after"]),
        ("tasks/replies.py", ["reply.before", "reply.after"]),
        ("tasks/fleet/process.py", ["lease.before_take", "lease.after_take"]),
        ("tasks/fleet/process.py", ["lease.before_release", "lease.after_release"]),
        ("tasks/fleet/supervisor.py", ["fork.before", "fork.after"]),
        ("tasks/fleet/supervisor.py", ["reap.before_expire", "reap.after_expire"]),
        ("tasks/fleet/supervisor.py", ["lease.before_renew", "lease.after_renew"]),
        ("brokers/alpaca/adapter.py", ["send.duplicate"]),
    ],
)
def test_a_point_that_is_taken_away_is_missed(texts: dict[str, str], path: str, points: list[str]) -> None:
    text = texts[path]
    for point in points:
        assert f'failpoint("{point}")' in text
        text = text.replace(f'failpoint("{point}")', "pass")
    before = unexcused(find_effects({path: texts[path]}, KINDS))
    assert len(unexcused(find_effects({path: text}, KINDS))) > len(before)


NEW_EFFECTS = {
    "a transaction": "with transaction.atomic():\n        order.text = 'x'",
    "a transaction by decorator": "@transaction.atomic\n    def inner() -> None: ...",
    "a row": "order.save()",
    "a query": "Order.objects.filter(pk=1).update(text='x')",
    "a query by name": "rows = Order.objects.all()\n    rows.delete()",
    "a statement": "cursor.execute('UPDATE orders_order SET text = 1')",
    "a statement that nobody can read": "cursor.execute(statement)",
    "a task": "app.send_task('x')",
    "a task later": "execute.delay(1)",
    "a mark in Redis": "_redis().set('a', 1)",
    "a broker's call": "adapter.cancel_order(request)",
    "a signal": "os.kill(pid, 9)",
    "a process": "child.process.start()",
    "a lease": "expire_lease(user_id=1, epoch=1)",
}


@pytest.mark.parametrize("statement", NEW_EFFECTS.values(), ids=NEW_EFFECTS.keys())
def test_a_new_effect_without_a_point_is_seen(statement: str) -> None:
    bare = {"tasks/new.py": f"def act(order):\n    {statement}\n"}
    assert [effect.bare for effect in find_effects(bare, KINDS)] == [True]
    shown = {"tasks/new.py": f"def act(order):\n    failpoint('x')\n    {statement}\n"}
    assert [effect.bare for effect in find_effects(shown, KINDS)] == [False]


def test_one_point_does_not_do_for_two_effects_further_on() -> None:
    text = "def act(order):\n    failpoint('x')\n    order.save()\n    app.send_task('x')\n"
    assert [effect.bare for effect in find_effects({"tasks/new.py": text})] == [False, True]


def test_a_helper_is_its_callers_only_where_nobody_else_can_call_it() -> None:
    helper = "def _write(order):\n    order.save()\n"
    within = (
        helper
        + "def act(order):\n    with transaction.atomic():\n        _write(order)\n    failpoint('x')\n"
    )
    assert [effect.bare for effect in find_effects({"tasks/new.py": within})] == [False]
    handed_out = within + "later(_write)\n"
    assert [effect.place.name for effect in find_effects({"tasks/new.py": handed_out}) if effect.bare] == [
        "_write"
    ]
    assert [effect.bare for effect in find_effects({"tasks/new.py": helper})] == [True]
