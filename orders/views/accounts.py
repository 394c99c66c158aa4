"""The trader's accounts: when each was last compared with its broker, and what was found."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from brokers.models import BrokerAccount
from orders.reconciliation_listing import compared_accounts
from orders.services.reconciliation.asking import ask_now
from orders.views.pages import page, signed_in
from tasks.dispatch import hand_over


@require_safe
@page
def account_list(request: HttpRequest) -> HttpResponse:
    """Show the trader's accounts with their last comparison and its findings."""
    context = {"accounts": compared_accounts(signed_in(request).pk)}
    return render(request, "orders/account_list.html", context)


@require_POST
@page
def account_compare(request: HttpRequest, account_id: uuid.UUID) -> HttpResponse:
    """Have one account compared with its broker now."""
    account = BrokerAccount.objects.filter(pk=account_id, user=signed_in(request).pk).first()
    if account is None:
        raise Http404("No such account")
    ask_now(account)
    hand_over(account.user_id)
    messages.success(request, f"{account.label} is being compared with its broker.")
    return redirect("orders:account-list")
