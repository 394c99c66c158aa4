"""What the admin's lists share: history that nobody changes, and big tables that stay quick."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

MOST_COUNTED = 10_000


class BoundedPaginator(Paginator):
    """Counts at most ``MOST_COUNTED`` rows: counting a big table reads all of it."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows[:MOST_COUNTED].count() if isinstance(rows, QuerySet) else len(rows)


class NothingChanges:
    """Permissions of rows to look at: nobody adds, changes or deletes them here."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(NothingChanges, admin.ModelAdmin):
    """Rows to look at."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50


class ReadOnlyInline(NothingChanges, admin.TabularInline):
    """Rows to look at, on the page of what they belong to."""

    extra = 0


class ExactSearchAdmin(ReadOnlyAdmin):
    """A search that uses the indexes: by a UUID, a user name, or a column's whole value.

    ``uuid_fields`` and ``exact_fields`` name the columns to look in, each of them indexed.
    """

    uuid_fields: tuple[str, ...] = ("pk",)
    exact_fields: tuple[str, ...] = ()
    search_fields = ("user__username",)  # shows the box; get_search_results does the looking

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q()
        try:
            key = uuid.UUID(term)
        except ValueError:
            # The user is looked up first: an OR across a join could use no index.
            users = get_user_model().objects.filter(username=term)
            wanted |= Q(user__in=list(users.values_list("pk", flat=True)))
            for field in self.exact_fields:
                wanted |= Q(**{field: term})
        else:
            wanted |= self.has_uuid(key)
        return queryset.filter(wanted), False

    def has_uuid(self, key: uuid.UUID) -> Q:
        """Return what makes a row one of those that a search for this id finds."""
        wanted = Q()
        for field in self.uuid_fields:
            wanted |= Q(**{field: key})
        return wanted
