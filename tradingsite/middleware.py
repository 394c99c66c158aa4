"""The express lane: requests by machines go straight to their view.

Every other middleware is for people: sessions, CSRF, messages, pages' headers. Each costs an asynchronous request a
hop through a thread, together a fifth of web's processor time for an alert. A webhook authenticates itself by token
and secret, and a probe needs no more than an answer, whatever host name it used.
"""

from collections.abc import Awaitable, Callable

from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.utils.decorators import async_only_middleware

EXPRESS = ("/webhook/", "/healthz", "/readyz")

GetResponse = Callable[[HttpRequest], Awaitable[HttpResponse]]


@async_only_middleware
def express_lane(get_response: GetResponse) -> GetResponse:
    """Call the views of the express lane directly; everything else goes on down the chain."""

    async def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(EXPRESS):
            return await get_response(request)
        match = resolve(request.path)
        answer: HttpResponse = await match.func(request, *match.args, **match.kwargs)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    return middleware
