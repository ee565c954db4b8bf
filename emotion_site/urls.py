"""The site's addresses: accounts and the admin here, the rest in the applications."""

from __future__ import annotations

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from classifier.api.views import health

# The admin has no log-in form of its own: allauth's has the rate limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler400 = "emotion_site.errors.bad_request"
handler404 = "emotion_site.errors.not_found"
handler500 = "emotion_site.errors.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.account.urls")),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("api/", include("classifier.api.urls")),
    path("api/v1/dataset/", include("labeling.api")),
    path("", include("classifier.urls")),
]
