"""What drf-spectacular has to be told to describe the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """The two places of an API key."""

    target_class = "orders.api.authentication.ApiKeyAuthentication"
    name = ["bearerKey", "headerKey"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Return one requirement for each name: either place will do."""
        return [{name: []} for name in self.name or ()]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        """Return one scheme for each name."""
        return [
            {"type": "http", "scheme": "bearer", "bearerFormat": "tsk_<prefix>_<secret>"},
            {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        ]


def without_slashes(endpoints: list[tuple[Any, ...]], **kwargs: Any) -> list[tuple[Any, ...]]:
    """Describe each address once: the form with a slash at its end is only tolerated."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]
