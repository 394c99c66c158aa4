"""Read and write rows on an order's way by statements that are written once, and prepared once.

The ORM writes each statement anew, which takes longer than PostgreSQL takes to carry it out. The models and their
fields are the ORM's all the same: they turn columns into values and back. No signal is sent, and what is inserted is
not read back: neither a key that the database gives nor any other default of its own.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from django.db import DatabaseError, connection
from django.db.models import AutoField, Field, Model

M = TypeVar("M", bound=Model)
AnyField: TypeAlias = "Field[Any, Any]"
STATEMENTS = 256
"""So many are kept: one for each set of columns, or number of rows, that is ever written."""


def columns_of(model: type[Model], table: str = "") -> str:
    """Return the columns of a model for a SELECT, by name: one prepared as ``*`` fails once a migration adds one."""
    prefix = f"{table}." if table else ""
    return ", ".join(f"{prefix}{field.column}" for field in model._meta.concrete_fields)


def fetch_rows(model: type[M], sql: str, values: Sequence[Any] | dict[str, Any]) -> list[M]:
    """Return the rows that a SELECT, or a RETURNING, gives.

    Its columns are the model's in any number and order; those that it has not are set on the row besides.
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        read = _reader(model, tuple(column.name for column in cursor.description))
        return [read(row) for row in cursor.fetchall()]


def fetch_joined(models: Sequence[type[Model]], sql: str, values: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield a row of each model, whose ``columns_of`` the SELECT names one after the other; None for one not joined."""
    readers = [(len(model._meta.concrete_fields), _whole_reader(model)) for model in models]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found = cursor.fetchall()
    for row in found:
        rows, start = [], 0
        for width, read in readers:
            part = row[start : start + width]
            rows.append(read(part) if any(value is not None for value in part) else None)
            start += width
        yield rows


def insert_rows(rows: Sequence[Model]) -> None:
    """Insert rows of one model, in one statement. In the caller's transaction."""
    if not rows:
        return
    sql, fields = _insert(type(rows[0]), len(rows))
    with connection.cursor() as cursor:
        cursor.execute(sql, [_value(row, field, add=True) for row in rows for field in fields])
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def update_row(row: Model, names: Collection[str]) -> None:
    """Write these fields of a row that the caller has locked; a reference goes by its name or by its id's.

    Raises ``DatabaseError`` where there is no such row, ``KeyError`` for a field that there is not.
    """
    sql, fields = _update(type(row), tuple(sorted(set(names))))
    with connection.cursor() as cursor:
        cursor.execute(sql, [*(_value(row, field, add=False) for field in fields), row.pk])
        if cursor.rowcount != 1:
            raise DatabaseError(f"{row._meta.label} {row.pk} was not there to be written")


# --- inside ---


@lru_cache(STATEMENTS)
def _reader(model: type[M], columns: tuple[str, ...]) -> Callable[[Sequence[Any]], M]:
    """Return what makes a row of such columns; a field that is not among them is read when it is asked for."""
    places = {name: place for place, name in enumerate(columns)}
    known = [field for field in model._meta.concrete_fields if field.column in places]
    names = [field.attname for field in known]
    picked = [(places[field.column or ""], _converter(field)) for field in known]
    others = [
        (name, place) for name, place in places.items() if name not in {field.column for field in known}
    ]

    def read(row: Sequence[Any]) -> M:
        values = [row[place] if convert is None else convert(row[place]) for place, convert in picked]
        made = model.from_db(connection.alias, names, values)
        for name, place in others:
            setattr(made, name, row[place])
        return made

    return read


def _whole_reader(model: type[M]) -> Callable[[Sequence[Any]], M]:
    return _reader(model, tuple(field.column or "" for field in model._meta.concrete_fields))


def _converter(field: AnyField) -> Callable[[Any], Any] | None:
    converters = field.get_db_converters(connection)
    if not converters:
        return None

    def convert(value: Any) -> Any:
        for one in converters:
            value = one(value, None, connection)
        return value

    return convert


@lru_cache(STATEMENTS)
def _insert(model: type[Model], count: int) -> tuple[str, tuple[AnyField, ...]]:
    fields = tuple(field for field in model._meta.concrete_fields if not _is_given_by_database(field))
    columns = ", ".join(field.column or "" for field in fields)
    row = f"({', '.join(['%s'] * len(fields))})"
    sql = f"INSERT INTO {model._meta.db_table} ({columns}) VALUES {', '.join([row] * count)}"  # noqa: S608 - our names
    return sql, fields


@lru_cache(STATEMENTS)
def _update(model: type[Model], names: tuple[str, ...]) -> tuple[str, tuple[AnyField, ...]]:
    by_name = {name: field for field in model._meta.concrete_fields for name in (field.name, field.attname)}
    fields = tuple(by_name[name] for name in names)
    columns = ", ".join(f"{field.column} = %s" for field in fields)
    sql = f"UPDATE {model._meta.db_table} SET {columns} WHERE {model._meta.pk.column} = %s"  # noqa: S608 - our names
    return sql, fields


def _is_given_by_database(field: AnyField) -> bool:
    return isinstance(field, AutoField) or field.has_db_default()


def _value(row: Model, field: AnyField, *, add: bool) -> Any:
    return field.get_db_prep_save(field.pre_save(row, add), connection)
