"""All addresses: the domain's, sign-in, the admin, health."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import include, path

from kb import views

# By our own page: the admin's would ask for no second factor and count no failures.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

handler400, handler404, handler500 = "kb.api.bad_request", "kb.api.not_found", "kb.api.server_error"

urlpatterns = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("api/v1/", include("postmortems.api.urls")),
    path("accounts/", include("kb.accounts_urls")),
    path("admin/", admin.site.urls),
    path("", include("postmortems.urls")),
]
