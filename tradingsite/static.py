"""Static files, served beside Django.

A synchronous middleware such as WhiteNoise's would take every request, webhooks too, through a thread of its
own, and hold that thread for as long as an order's outcome is waited for.
"""

import os
import re

from django.conf import settings
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PREFIX = "/static"
_HASHED = re.compile(r"\.[0-9a-f]{12}\.\w+$")


class CachedStaticFiles(StaticFiles):
    """Files whose name holds their hash never change; the others are asked for again each time."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        forever = _HASHED.search(str(full_path))
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if forever else "public, no-cache"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


# The folder is filled by collectstatic, perhaps after this process has started.
static_application = Starlette(
    routes=[Mount(PREFIX, CachedStaticFiles(directory=settings.STATIC_ROOT, check_dir=False))]
)
