"""A DRF view whose POST may wait long without holding a thread or a database connection."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orders.api.errors import HANDLED
from orders.intake.strict_json import MAX_BODY_BYTES, BodyTooLarge
from orders.views.waiting import in_database


class AsyncPostView(APIView):
    """Runs ``post``, a coroutine, on the event loop; the other methods in a thread, as in any DRF view.

    DRF's own dispatch is synchronous: there a POST would hold its thread, and with it a database
    connection, for as long as it waits. Here authentication, CSRF and permissions are one short unit.
    """

    view_is_async = True

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        """Answer one request."""
        if request.method != "POST":
            return await sync_to_async(super().dispatch)(request, *args, **kwargs)
        self.args, self.kwargs = args, kwargs
        drf_request = self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            self.raw_body = read_body(request)
            await in_database(self.initial, drf_request, *args, **kwargs)
            response = await self.post(drf_request, *args, **kwargs)
        except HANDLED as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(drf_request, response, *args, **kwargs)
        return self.response

    async def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer a POST; ``self.raw_body`` is the body as it came."""
        raise NotImplementedError


def read_body(request: HttpRequest) -> bytes:
    """Return the whole body, before anything parses it. Raises ``BodyTooLarge``."""
    too_large = BodyTooLarge(f"The body is longer than {MAX_BODY_BYTES} bytes.")
    if int(request.headers.get("Content-Length") or 0) > MAX_BODY_BYTES:
        raise too_large
    try:
        return request.body
    except RequestDataTooBig:  # sent in chunks, without a length
        raise too_large from None
