"""Sign-in by OpenID Connect: which account somebody gets whom the identity provider vouches for."""

import logging
from typing import Any, NoReturn

from allauth.account.internal.userkit import filter_users_by_email
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import Group
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from requests import RequestException

logger = logging.getLogger(__name__)

PROVIDER = "sso"  # in settings and in addresses: there is one
UNREACHABLE = "The identity provider does not answer as it should. Try again in a minute, or use your password."


class ProviderAdapter(DefaultSocialAccountAdapter):
    """An account is found by the provider's own id, else by an address that the provider has verified."""

    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[Any]:
        # Providers come from the environment only: a row in the database must not add one.
        return [app for app in super().list_apps(request, provider, client_id) if app.pk is None]

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        if sociallogin.state.get("process") != AuthProcess.LOGIN:
            refuse(request, "Accounts are matched by their e-mail address. Sign out and sign in that way.")
        email = verified_email(sociallogin)
        if not email:
            refuse(request, f"{settings.OIDC_NAME} does not say that your e-mail address is verified.")
        if settings.OIDC_DOMAINS and email.rpartition("@")[2] not in settings.OIDC_DOMAINS:
            refuse(request, "Addresses of this domain may not sign in here.")
        if not sociallogin.is_existing:
            self.connect_by_address(request, sociallogin, email)
        if sociallogin.is_existing:
            self.give_roles(sociallogin)

    def connect_by_address(self, request: HttpRequest, sociallogin: Any, email: str) -> None:
        owners = filter_users_by_email(email)
        if len(owners) > 1:
            refuse(request, "Several accounts have your e-mail address. An administrator can leave it to one of them.")
        if owners:
            if not owners[0].is_active:
                refuse(request, "Your account is closed. An administrator can open it again.")
            sociallogin.connect(request, owners[0])
        elif not self.may_have_account(email):
            refuse(request, "There is no account with your e-mail address. Ask an administrator to invite you.")

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return self.may_have_account(verified_email(sociallogin))

    def may_have_account(self, email: str) -> bool:
        return bool(settings.OIDC_CREATES_ACCOUNTS)

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> Any:
        user = super().save_user(request, sociallogin, form)
        self.account_made(user, verified_email(sociallogin))
        self.give_roles(sociallogin)
        return user

    def account_made(self, user: Any, email: str) -> None:
        """What a new account starts with, before the provider's groups have their say."""

    def give_roles(self, sociallogin: Any) -> None:
        give_roles(sociallogin)


def verified_email(sociallogin: Any) -> str:
    """Empty if there is none."""
    return next((str(each.email).lower() for each in sociallogin.email_addresses if each.verified is True), "")


def give_roles(sociallogin: Any) -> None:
    """Roles that the provider's groups stand for, and no other of these; roles it does not speak of stay."""
    if not settings.OIDC_ROLES:
        return
    claims = sociallogin.account.extra_data
    groups = (claims.get("id_token") or {}).get("groups") or (claims.get("userinfo") or {}).get("groups") or []
    named = {groups} if isinstance(groups, str) else {str(group) for group in groups}
    given = {role for group, role in settings.OIDC_ROLES.items() if group in named}
    user = sociallogin.user
    user.groups.remove(*Group.objects.filter(name__in=set(settings.OIDC_ROLES.values()) - given))
    user.groups.add(*Group.objects.filter(name__in=given))


def refuse(request: HttpRequest, why: str) -> NoReturn:
    raise ImmediateHttpResponse(error_page(request, why, status=403))


def error_page(request: HttpRequest, why: str, *, status: int) -> HttpResponse:
    return render(request, "socialaccount/authentication_error.html", {"why": why}, status=status)


class CheckedProvider(OpenIDConnectOAuth2Adapter):
    """Checks the signature of the id token, which allauth skips, and that all of an answer is about one person."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """What it says of itself, if it is the one that was configured."""
        config: dict[str, Any] = super().openid_config
        configured = self.get_provider().app.settings["server_url"]
        if str(config.get("issuer", "")).rstrip("/") != configured:
            raise OAuth2Error(f"The provider at {configured} calls itself {config.get('issuer')!r}.")
        return config

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> Any:
        try:
            claims = self._claims(app, kwargs["response"]["id_token"])
            data = {"id_token": claims}
            if not claims.get("email"):
                data["userinfo"] = self._fetch_user_info(token.token)
                if data["userinfo"]["sub"] != claims["sub"]:
                    raise OAuth2Error("The provider's answers are about different people.")
        except (KeyError, TypeError, ValueError) as error:
            raise OAuth2Error("The provider's answer is not as the standard has it.") from error
        return self.get_provider().sociallogin_from_response(request, data)

    def _claims(self, app: Any, id_token: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwtkit.verify_and_decode(
            credential=id_token,
            keys_url=self.openid_config["jwks_uri"],
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
        )
        return claims


@login_not_required
def openid_connect_login(request: HttpRequest, provider_id: str = PROVIDER) -> HttpResponse:
    """Off to the provider. By a page that moves on: the policy lets no form lead to another site, nor be sent on."""
    response = answer_of(OAuth2LoginView, request, provider_id)
    if response.status_code == 302:
        return render(request, "socialaccount/leaving.html", {"address": response["Location"]})
    return response


@login_not_required
def openid_connect_callback(request: HttpRequest, provider_id: str = PROVIDER) -> HttpResponse:
    """Back from the provider."""
    return answer_of(OAuth2CallbackView, request, provider_id)


def answer_of(view: Any, request: HttpRequest, provider_id: str) -> HttpResponse:
    """Of allauth's view, once the provider has said who it is; where it does not, a page that says so."""
    try:
        provider = CheckedProvider(request, provider_id)
        if request.method == "POST" or "code" in request.GET:
            provider.openid_config  # noqa: B018  (asked now: allauth's views ask where nobody catches)
        response: HttpResponse = view.adapter_view(provider)(request)
    except SocialApp.DoesNotExist as error:
        raise Http404 from error
    except (RequestException, OAuth2Error, KeyError, ValueError):
        logger.exception("Asking the identity provider")
        return error_page(request, UNREACHABLE, status=502)
    return response
