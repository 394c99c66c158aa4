"""Every address of the desk."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path

from orders.views.webhook import tradingview
from tradingsite.health import healthz, readyz

urlpatterns: list[URLPattern | URLResolver] = [
    path("login/", LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path(settings.ADMIN_PATH, admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("webhook/tradingview/<str:token>", tradingview, name="tradingview"),
    path("api/v1/", include("orders.api.urls")),
    path("", include("orders.urls")),
]
