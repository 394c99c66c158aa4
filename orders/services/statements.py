"""How long the database may take over a recording."""

from django.db import connection

LEAST_STATEMENT_MS = 500  # what waited long is still better recorded than refused


def limit_statements(milliseconds: int) -> None:
    """Keep a slow database from eating the sender's patience, to the end of the transaction.

    TradingView hangs up after 3 s.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true)", [str(max(milliseconds, LEAST_STATEMENT_MS))]
        )
