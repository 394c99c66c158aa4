"""The ASGI application: ``uvicorn tradingsite.asgi:application``."""

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings")

django_application = get_asgi_application()

from orders.views.receipt import Receipt  # noqa: E402  # they read the settings
from tradingsite.static import PREFIX, static_application  # noqa: E402


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Hand static files to their own application and everything else to Django."""
    scope["receipt"] = Receipt.now()
    is_static = scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/")
    await (static_application if is_static else django_application)(scope, receive, send)
