"""Addresses of sign-in: those of django-allauth that we want, under its names. The rest of it has no address."""

from allauth.account import views
from allauth.mfa.base import views as second_factor
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.socialaccount import views as provider
from django.urls import path, re_path
from django.views.decorators.http import require_POST

from kb.sign_in import SignInView
from kb.single_sign_on import openid_connect_callback, openid_connect_login

sign_in = SignInView.as_view()
sign_out = require_POST(views.logout)

urlpatterns = [
    # Twice each: allauth asks for its own names, our pages for the short ones.
    path("login/", sign_in, name="account_login"),
    path("login/", sign_in, name="login"),
    path("logout/", sign_out, name="account_logout"),
    path("logout/", sign_out, name="logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/set/", views.password_set, name="account_set_password"),
    path("password/reset/", views.password_reset, name="account_reset_password"),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    path("password/reset/key/done/", views.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("second-factor/", second_factor.index, name="mfa_index"),
    path("second-factor/sign-in/", second_factor.authenticate, name="mfa_authenticate"),
    path("second-factor/again/", second_factor.reauthenticate, name="mfa_reauthenticate"),
    path("second-factor/app/on/", totp.activate_totp, name="mfa_activate_totp"),
    path("second-factor/app/off/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("second-factor/codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("second-factor/codes/new/", recovery_codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("second-factor/codes/file/", recovery_codes.download_recovery_codes, name="mfa_download_recovery_codes"),
    path("oidc/cancelled/", provider.login_cancelled, name="socialaccount_login_cancelled"),
    path("oidc/<str:provider_id>/login/", openid_connect_login, name="openid_connect_login"),
    path("oidc/<str:provider_id>/login/callback/", openid_connect_callback, name="openid_connect_callback"),
]
