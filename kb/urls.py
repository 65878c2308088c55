"""All addresses: the domain's, sign-in, the admin, health."""

from django.contrib import admin
from django.urls import include, path

from kb import views

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("api/v1/", include("postmortems.api.urls")),
    path("accounts/", include("kb.accounts_urls")),
    path("admin/", admin.site.urls),
    path("", include("postmortems.urls")),
]
