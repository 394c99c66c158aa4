"""Is this process up, and can the desk trade?"""

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, JsonResponse

from orders.selectors import fleet_is_alive, schedule_is_alive
from orders.views.waiting import in_database
from tasks.replies import board


async def healthz(request: HttpRequest) -> JsonResponse:
    """Say that this process answers."""
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """Say of each part that an order needs whether it is there: 200 if all are, else 503."""
    parts = {"redis": await board().ready()} | await _database_parts()
    ready = all(parts.values())
    return JsonResponse({"status": "ready" if ready else "not ready", **parts}, status=200 if ready else 503)


async def _database_parts() -> dict[str, bool]:
    try:
        fleet, schedule = await in_database(lambda: (fleet_is_alive(), schedule_is_alive()))
    except (DatabaseError, InterfaceError):
        return {"postgresql": False, "fleet": False, "schedule": False}
    return {"postgresql": True, "fleet": fleet, "schedule": schedule}
