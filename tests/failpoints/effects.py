"""Find every outside effect in a module's source, and whether a failpoint stands next to it.

An effect is what remains when the process dies right after it: a commit, a message to Redis, a call of a broker, a
process started or killed. In the order of the source, each must have a point as its neighbour, before or after: then
a test can have a process die just short of it or just past it. The order is that of the lines: of two branches of
one function, the second may lean on the first one's point.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
SCANNED = ("orders", "tasks", "brokers", "tradingsite")
NO_EFFECTS = ("migrations", "conformance", "state")

WRITING_SQL = re.compile(r"\b(INSERT\s+INTO|UPDATE\s+\w|DELETE\s+FROM)", re.IGNORECASE)
ROW_WRITES = frozenset({"save", "bulk_create", "bulk_update", "update_or_create", "get_or_create"})
QUERY_WRITES = frozenset({"create", "update", "delete"})  # of a query set; dicts and forms have them too
TRANSACTIONS = frozenset({"atomic", "acting_for", "sweep_lock"})
PUBLISHING = frozenset({"send_task", "apply_async", "delay", "delay_on_commit", "xadd"})
REDIS_WRITES = frozenset(
    {
        "set",
        "delete",
        "publish",
        "incr",
        "expire",
        "lpush",
        "rpush",
        "lrem",
        "lpop",
        "rpop",
        "xtrim",
        "unlink",
    }
)
BROKER_CALLS = frozenset(
    {"submit_order", "cancel_order", "replace_order", "get_order", "list_orders", "list_executions"}
)
PROCESS_CALLS = frozenset({"kill", "terminate", "killpg", "send_signal", "Popen"})
WIRE_CALLS = frozenset({"endheaders"})  # here a request's first byte leaves


@dataclass(frozen=True, slots=True)
class Place:
    """A function: its file, from the checkout, and its name within (``Class.method``)."""

    path: str
    name: str

    def __str__(self) -> str:
        return f"{self.path}:{self.name}"

    @property
    def short_name(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def is_private(self) -> bool:
        return self.short_name.startswith("_") and not self.short_name.startswith("__")


@dataclass(frozen=True, slots=True)
class Effect:
    """One outside effect; ``bare`` where no failpoint is its neighbour."""

    place: Place
    kind: str
    line: int
    bare: bool

    def __str__(self) -> str:
        return f"{self.place.path}:{self.line} {self.place.name}: {self.kind}"


def sources() -> dict[str, str]:
    """Return the source of every module that can have an effect, by its path from the checkout."""
    files = (path for top in SCANNED for path in sorted((CHECKOUT / top).rglob("*.py")))
    paths = (path.relative_to(CHECKOUT) for path in files)
    return {
        str(path): (CHECKOUT / path).read_text() for path in paths if not set(path.parts) & set(NO_EFFECTS)
    }


def find_effects(
    texts: Mapping[str, str], passed_on: Mapping[str, str] | None = None, *, within: str = ""
) -> list[Effect]:
    """Return the effects of these sources, in order; with a path ``within`` those of one of them.

    ``passed_on`` names functions (as ``str`` of their place) whose effect is their callers', and its kind: each call
    of one is an effect where it stands, and what is inside it is none. A module's private function that only writes
    rows or publishes is passed on within its module without being named.
    """
    places = [
        (Place(path, name), function)
        for path, text in texts.items()
        if within in ("", path)
        for name, function in functions(_parsed(text))
    ]
    named = {place.rpartition(":")[2].rpartition(".")[2]: kind for place, kind in (passed_on or {}).items()}
    silent = set(passed_on or {})
    reader = _Reader(_sql_constants(texts), named, private={})
    while True:
        marks = {
            place: sorted(reader.marks(place.path, function))
            for place, function in places
            if str(place) not in silent
        }
        helpers = {
            place
            for place in marks
            if place.is_private and _has_no_say(marks[place]) and _is_only_called(texts[place.path], place)
        }
        if not helpers:
            return [effect for place in marks for effect in _judge(place, marks[place])]
        silent |= set(map(str, helpers))
        for place in helpers:
            kinds = {kind.partition(":")[0] for _, _, kind in marks[place]}
            reader.private[place.path, place.short_name] = "publish" if "publish" in kinds else "write"


def functions(module: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield each outermost function and each method, then what the module itself does when it is imported."""
    rest: list[ast.stmt] = []
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{part.name}", part
        else:
            rest.append(node)
    yield "<module>", ast.Module(rest, [])


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def points_in(texts: Mapping[str, str]) -> Iterator[tuple[Place, ast.Call]]:
    """Yield each call of ``failpoint``."""
    for path, text in texts.items():
        for name, function in functions(_parsed(text)):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and _called(node) == "failpoint":
                    yield Place(path, name), node


Mark = tuple[int, int, str]
"""Line, column, and the effect's kind; '' is a failpoint."""

LAST_COLUMN = 10_000


def _judge(place: Place, marks: list[Mark]) -> Iterator[Effect]:
    kinds = [kind for _, _, kind in marks]
    for position, (line, _, kind) in enumerate(marks):
        if kind:
            neighbours = kinds[max(position - 1, 0) : position] + kinds[position + 1 : position + 2]
            yield Effect(place, kind, line, bare="" not in neighbours)


def _has_no_say(marks: list[Mark]) -> bool:
    """Say whether a helper only writes rows or publishes, and leaves it to its callers to say when."""
    return bool(marks) and all(kind.startswith(("write", "publish")) for _, _, kind in marks)


def _is_only_called(text: str, place: Place) -> bool:
    """Say whether this module calls the function, and hands it to nobody else to call."""
    tree = list(ast.walk(_parsed(text)))
    calls = {
        id(node.func) for node in tree if isinstance(node, ast.Call) and _called(node) == place.short_name
    }
    names = [node for node in tree if getattr(node, "attr", getattr(node, "id", "")) == place.short_name]
    return bool(calls) and all(id(node) in calls for node in names)


@dataclass(frozen=True, slots=True)
class _Reader:
    """What must be known of all sources to read one function."""

    constants: Mapping[str, str]
    passed_on: Mapping[str, str]
    private: dict[tuple[str, str], str]  # path and name; kind

    def marks(self, path: str, function: ast.AST) -> Iterator[Mark]:
        """Yield points and effects; a transaction is one effect, at its end, whatever it writes."""
        inside: set[ast.AST] = set()
        for node, end_line in _transactions(function):
            inside |= set(ast.walk(node))
            yield end_line, LAST_COLUMN, "commit"
        query_sets = _query_sets(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                helper = self.private.get((path, _called(node)))
                kind = f"{helper}: {_called(node)}" if helper else self._kind(node, query_sets)
                if kind is not None and not (kind.startswith("write") and node in inside):
                    yield node.lineno, node.col_offset, kind
        yield from self._handed_over(function, inside)

    def _handed_over(self, function: ast.AST, inside: set[ast.AST]) -> Iterator[Mark]:
        """Yield each function that is passed on and given to somebody else to call: ``partial(expire_lease)``."""
        called = {id(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
        for node in ast.walk(function):
            if isinstance(node, ast.Name) and node.id in self.passed_on and id(node) not in called:
                kind = self.passed_on[node.id]
                if not (kind == "write" and node in inside):
                    yield node.lineno, node.col_offset, f"{kind}: {node.id}"

    def _kind(self, call: ast.Call, query_sets: frozenset[str]) -> str | None:
        name, owner = _called(call), _owner(call)
        if name == "failpoint":
            return ""
        if name in self.passed_on:
            return f"{self.passed_on[name]}: {name}"
        if name in ("execute", "executemany"):
            return "write: SQL" if self._writes(call) else None
        if name in ROW_WRITES or (name in QUERY_WRITES and _is_query(owner, query_sets)):
            return f"write: {name}"
        return None if _only_asks(call) else _elsewhere(name, owner)

    def _writes(self, call: ast.Call) -> bool:
        """Say whether the statement writes; one that cannot be read here counts as one that does."""
        statement = call.args[0] if call.args else None
        if isinstance(statement, ast.Name):
            return bool(WRITING_SQL.search(self.constants.get(statement.id, "UPDATE unknown")))
        readable = isinstance(statement, ast.Constant | ast.JoinedStr)
        return not readable or bool(WRITING_SQL.search(ast.unparse(statement)))


def _only_asks(call: ast.Call) -> bool:
    """Say whether this is ``os.kill(pid, 0)``, which kills nobody."""
    return _called(call) == "kill" and len(call.args) == 2 and ast.unparse(call.args[1]) == "0"


def _elsewhere(name: str, owner: str) -> str | None:
    """Return the kind of an effect outside PostgreSQL, or None."""
    if name in PUBLISHING or (name in REDIS_WRITES and re.search("redis|writer|client", owner)):
        return f"publish: {name}"
    if (name in BROKER_CALLS and owner) or name in WIRE_CALLS:
        return f"broker: {name}"
    if (name in PROCESS_CALLS and owner) or (name == "start" and "process" in owner):
        return f"process: {name}"
    return None


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _owner(call: ast.Call) -> str:
    """Return the source of what the method belongs to; '' for a plain function."""
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _transactions(function: ast.AST) -> Iterator[tuple[ast.AST, int]]:
    """Yield each node that is one transaction, and the line where it commits."""
    for node in ast.walk(function):
        if isinstance(node, ast.With) and any(_is_transaction(item.context_expr) for item in node.items):
            yield node, node.end_lineno or node.lineno
        if any(_is_transaction(decorator) for decorator in getattr(node, "decorator_list", ())):
            yield node, getattr(node, "end_lineno", 0)


def _is_transaction(node: ast.AST) -> bool:
    function = node.func if isinstance(node, ast.Call) else node
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in TRANSACTIONS


def _is_query(owner: str, query_sets: frozenset[str]) -> bool:
    return ".objects" in owner or owner.split(".")[0] in query_sets


def _query_sets(function: ast.AST) -> frozenset[str]:
    """Return the function's own names that stand for query sets."""
    return frozenset(
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and ".objects" in ast.unparse(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    )


def _sql_constants(texts: Mapping[str, str]) -> dict[str, str]:
    return {
        target.id: node.value.value
        for text in texts.values()
        for node in _parsed(text).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }
