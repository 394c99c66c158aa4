"""Read from the source which kinds of events the code writes to an order's history, and from which sources."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from orders.state import Event

STATE_EVENTS = frozenset(event.__name__ for event in get_args(Event))
_IN_SQL = re.compile(r"kind = '(\w+)'")


class Unreadable(Exception):
    """The scan cannot tell which texts an expression may be; the message says where it stands."""


@dataclass
class Scan:
    """The modules' texts by path; ``kinds`` and ``sources`` may raise ``Unreadable``."""

    texts: Mapping[str, str]
    _calls: list[tuple[str, ast.FunctionDef | None, ast.Call]] = field(default_factory=list)
    _constants: dict[str, str] = field(default_factory=dict)
    _functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    _defaults: dict[str, str] = field(default_factory=dict)  # of the fields of classes
    _sql: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for path, text in self.texts.items():
            module = ast.parse(text)
            self._read(path, module, None)
            for statement in module.body:
                if isinstance(statement, ast.Assign):
                    self._constants.update(_assigned(statement))

    def kinds(self) -> set[str]:
        """Return every kind that is written: by the services' helpers, by ``Change.note``, and in SQL."""
        found = {kind for sql in self._sql for kind in _IN_SQL.findall(sql)}
        for place in self._calls:
            name, call = _called(place[2]), place[2]
            if name in ("write_event", "new_event", "OrderEvent"):
                found |= self._texts_of(_argument(call, "kind"), place)
            elif name == "note" and _argument(call, "at"):
                found |= self._texts_of(call.args[0], place)
        return found

    def sources(self) -> set[str]:
        """Return every source that is written: the first word of each ``Origin``."""
        origins = [place for place in self._calls if _called(place[2]) == "Origin"]
        return {text for place in origins for text in self._texts_of(place[2].args[0], place)}

    def _read(self, path: str, node: ast.AST, function: ast.FunctionDef | None) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call):
                self._calls.append((path, function, child))
            elif isinstance(child, ast.Constant) and "INTO orders_orderevent" in str(child.value):
                self._sql.append(str(child.value))
            elif isinstance(child, ast.FunctionDef):
                self._functions[child.name] = child
            elif isinstance(child, ast.AnnAssign) and isinstance(node, ast.ClassDef):
                self._defaults.update(_default(child))
            self._read(path, child, child if isinstance(child, ast.FunctionDef) else function)

    def _texts_of(self, expression: Any, place: tuple[str, ast.FunctionDef | None, ast.Call]) -> set[str]:
        path, function, _ = place
        match expression:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.IfExp(body=one, orelse=other):
                return self._texts_of(one, place) | self._texts_of(other, place)
            case ast.Name(id=name) if function and name in _parameters(function):
                return self._passed_in(function, name)
            case ast.Name(id=name) if name in self._constants:
                return {self._constants[name]}
            case ast.Call(func=ast.Name(id=name)) if name in self._functions:
                returns = [node for node in ast.walk(self._functions[name]) if isinstance(node, ast.Return)]
                return {text for one in returns for text in self._texts_of(one.value, place)}
            case ast.Attribute(value=ast.Call(func=ast.Name(id="type")), attr="__name__"):
                return set(STATE_EVENTS)
            case ast.Attribute(value=ast.Name(), attr=name) if name in self._defaults:
                return {self._defaults[name]} | self._given(self._calls, name)
        raise Unreadable(f"{path}:{expression.lineno} {ast.unparse(expression)}")

    def _passed_in(self, function: ast.FunctionDef, parameter: str) -> set[str]:
        """Return what the callers give by name; ``kinds`` looks itself at what they give ``note`` by position."""
        calls = [place for place in self._calls if _called(place[2]) == function.name]
        return self._given(calls, parameter)

    def _given(self, calls: list[tuple[str, ast.FunctionDef | None, ast.Call]], name: str) -> set[str]:
        given = [(_argument(place[2], name), place) for place in calls]
        return {text for argument, place in given if argument for text in self._texts_of(argument, place)}


def _assigned(statement: ast.Assign) -> Iterator[tuple[str, str]]:
    """Yield the texts that a module's ``NAME = "text"`` or ``A, B = "a", "b"`` gives to names."""
    (target,) = statement.targets[:1]
    names = target.elts if isinstance(target, ast.Tuple) else [target]
    values = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
    for name, value in zip(names, values, strict=False):
        if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield name.id, value.value


def _default(field_of_class: ast.AnnAssign) -> Iterator[tuple[str, str]]:
    """Yield the text that a class's ``name: str = "text"`` begins with."""
    name, value = field_of_class.target, field_of_class.value
    if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield name.id, value.value


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", None) or getattr(call.func, "attr", "")


def _argument(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _parameters(function: ast.FunctionDef) -> set[str]:
    return {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}
