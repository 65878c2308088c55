"""The only settings file. What differs by place comes from the environment, loud when wrong (see kb/checks.py)."""

import os
import secrets
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent


def _flag(name: str) -> bool:
    """Yes or no; a misspelt answer is not taken for a no."""
    value = str(env.str(name, default="")).strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"", "0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither yes nor no. For example {name}=true")


def _words(name: str) -> list[str]:
    """Values with commas between them."""
    return [word.strip() for word in str(env.str(name, default="")).split(",") if word.strip()]


DEBUG = _flag("KB_DEBUG")
DATA_DIR = Path(env.str("KB_DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
try:
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(f"KB_DATA_DIR={DATA_DIR} cannot be made: {error}") from error
if not os.access(DATA_DIR, os.W_OK | os.X_OK):
    raise ImproperlyConfigured(f"KB_DATA_DIR={DATA_DIR} cannot be written to by this user.")
# Where people reach the site. Its scheme decides whether cookies are marked Secure and HSTS is sent.
SITE_URL = env.str("KB_URL", default="http://127.0.0.1:8000").rstrip("/")


def _secret_key() -> str:
    """From the environment, else from a file made once in the data folder, readable by its owner only."""
    if key := str(env.str("KB_SECRET_KEY", default="")):
        return key
    path = DATA_DIR / "secret_key"
    try:
        if not path.exists():
            _write_new(path, secrets.token_urlsafe(50))
        key = path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"KB_SECRET_KEY is not set and {path} cannot be used: {error}") from error
    if not key:
        raise ImproperlyConfigured(f"KB_SECRET_KEY is not set and {path} is empty. Delete it and a new one is made.")
    return key


def _write_new(path: Path, text: str) -> None:
    """Whole or not at all, and only if it is not there: of several processes that start at once the first one wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env.list("KB_ALLOWED_HOSTS", default=[urlsplit(SITE_URL).hostname or "127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = [SITE_URL]

INSTALLED_APPS = [
    "django_tasks_db",  # before ours, which takes its table out of the admin
    "postmortems",
    "kb",
    "kb.search",
    "kb.jobs",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "kb.origin_middleware.OriginMiddleware",
    "kb.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "kb.slash_middleware.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "kb.middleware.SessionIdleMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "kb.middleware.ReaderTimeZoneMiddleware",
]

ROOT_URLCONF = "kb.urls"
WSGI_APPLICATION = "kb.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

FORM_RENDERER = "kb.widgets.Renderer"

SQLITE = "kb.sqlite"

# Its write-ahead log alone gives "database is locked" under several writers; IMMEDIATE takes the write lock at BEGIN,
# so that a read-then-write transaction waits its turn (20 s) instead of failing.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA synchronous=NORMAL;PRAGMA temp_store=MEMORY;"
        "PRAGMA mmap_size=134217728;PRAGMA journal_size_limit=27103364;PRAGMA cache_size=-20000;"
    ),
}


def _database() -> dict[str, object]:
    url = str(env.str("KB_DATABASE_URL", default=""))
    scheme = urlsplit(url).scheme
    if not url:
        database: dict[str, object] = {"ENGINE": SQLITE, "NAME": DATA_DIR / "db.sqlite3"}
    elif scheme in {"sqlite", "postgres", "postgresql"}:
        database = env.db_url_config(url) | ({"ENGINE": SQLITE} if scheme == "sqlite" else {})
    else:  # the URL itself is not repeated: it may hold a password
        raise ImproperlyConfigured(f"KB_DATABASE_URL begins with {scheme!r}; known are sqlite: and postgres:")
    if database["NAME"] in {"", ":memory:"}:
        raise ImproperlyConfigured("KB_DATABASE_URL names no database. For example postgres://kb:secret@localhost/kb")
    if database["ENGINE"] == SQLITE:
        database["OPTIONS"] = SQLITE_OPTIONS
        database["TEST"] = {"NAME": ":memory:"}  # said, as pytest-xdist knows only Django's own engine
    return database | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The engine by URL (whoosh:, whoosh:///another/folder, memory:) and what it is to hold: see kb/search/README.md.
SEARCH_URL = env.str("KB_SEARCH_URL", default="whoosh:")
SEARCH_SOURCE = "postmortems.search.SOURCE"


def _cache() -> dict[str, Any]:
    """Where the limits of sign-in are counted, by all workers together: files in the data folder, or Redis."""
    url = str(env.str("KB_CACHE_URL", default="file:"))
    scheme = urlsplit(url).scheme
    if url == "file:":
        # Expired entries go when they are asked for; beyond this many a third is thrown away.
        options = {"MAX_ENTRIES": 20_000}
        return {"BACKEND": "kb.shared_cache.SharedFileCache", "LOCATION": DATA_DIR / "cache", "OPTIONS": options}
    if url == "memory:":
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    if scheme not in {"redis", "rediss"}:  # the URL itself is not repeated: it may hold a password
        raise ImproperlyConfigured(
            f"KB_CACHE_URL begins with {scheme!r}; known are file:, memory: and redis://host:6379/0"
        )
    if find_spec("redis") is None:
        raise ImproperlyConfigured("KB_CACHE_URL names Redis and its library is missing: pip install redis")
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}


CACHES = {"default": _cache()}


def _mail() -> dict[str, object]:
    url = str(env.str("KB_EMAIL_URL", default="consolemail:"))
    scheme = urlsplit(url).scheme
    if scheme not in {"consolemail", "smtp", "smtp+tls", "smtp+ssl"}:
        raise ImproperlyConfigured(
            f"KB_EMAIL_URL begins with {scheme!r}; known are smtp+tls://user:password@host:587, "
            "smtp+ssl:, smtp: and consolemail:"
        )
    mail: dict[str, object] = env.email_url_config(url)
    if scheme != "consolemail" and not mail["EMAIL_HOST"]:
        raise ImproperlyConfigured(
            "KB_EMAIL_URL names no host. For example smtp+tls://user:password@mail.example.org:587"
        )
    return mail


# Without it mail is written where the log goes: good for a first look.
_MAIL = _mail()
EMAIL_BACKEND = _MAIL["EMAIL_BACKEND"]
EMAIL_HOST, EMAIL_PORT = _MAIL["EMAIL_HOST"] or "localhost", _MAIL["EMAIL_PORT"] or 25
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _MAIL["EMAIL_HOST_USER"] or "", _MAIL["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS, EMAIL_USE_SSL = bool(_MAIL.get("EMAIL_USE_TLS")), bool(_MAIL.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = str(
    env.str("KB_EMAIL_FROM", default=f"postmortems@{urlsplit(SITE_URL).hostname or 'localhost'}")
)

# Work beside the pages, kept in the database: `manage.py worker` does it, and what is due regularly.
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": []}}
REGULAR_WORK = "postmortems.workflows.regular.TIMETABLE"
_late = str(env.str("KB_ESCALATE_DAYS", default="14"))
if not (_late.isascii() and _late.isdigit() and 1 <= int(_late) <= 365):
    raise ImproperlyConfigured(f"KB_ESCALATE_DAYS={_late!r} is no number of days from 1 to 365.")
# An action item that is late by this many days stands in the digest of its team's manager.
ESCALATE_DAYS = int(_late)


def _inside() -> tuple[list[IPv4Network | IPv6Network], set[str]]:
    """Where webhooks may go although it is not the internet: networks, and hosts by name."""
    networks: list[IPv4Network | IPv6Network] = []
    hosts: set[str] = set()
    for word in _words("KB_WEBHOOK_ALLOW"):
        try:
            networks.append(ip_network(word))
        except ValueError as error:
            if "/" in word or ":" in word or word.replace(".", "").isdigit():
                raise ImproperlyConfigured(
                    f"KB_WEBHOOK_ALLOW: {word!r} is no network and no host. For example 10.1.2.3/32,hooks.internal"
                ) from error
            hosts.add(word.lower().rstrip("."))
    return networks, hosts


WEBHOOK_NETWORKS, WEBHOOK_HOSTS = _inside()

AUTH_USER_MODEL = "postmortems.User"
AUTHENTICATION_BACKENDS = ["postmortems.views.signing_in.Backend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PASSWORD_RESET_TIMEOUT = 24 * 3600

# Sign-in: django-allauth. Its pages are in templates/, what is ours of it in kb/sign_in.py and kb/single_sign_on.py.
ACCOUNT_ADAPTER = "postmortems.views.signing_in.AuditedAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*", "password2*"]
# An account comes about by a link that was mailed, by a verified address of the identity provider, or by an
# administrator: no address is left to be verified afterwards.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_FORMS = {"login": "kb.sign_in.SignInForm"}
ACCOUNT_SESSION_REMEMBER = True
# Beside allauth's own: 30 sign-ins a minute from an address, 10 failed ones, 5 failed ones an account in 5 minutes.
ACCOUNT_RATE_LIMITS = {
    "accept_invitation": "20/m/ip",
    "invite": "60/h/user",
    "sign_up": "10/m/ip,3/h/key",
    "wrong_token": "30/m/key",
}
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if _flag("KB_BEHIND_PROXY") else 0
# What somebody may do whom nobody gave a role.
DEFAULT_ROLE = str(env.str("KB_DEFAULT_ROLE", default="reader"))
if DEFAULT_ROLE not in {"reader", "author", "reviewer"}:
    raise ImproperlyConfigured(f"KB_DEFAULT_ROLE={DEFAULT_ROLE!r} is none of reader, author and reviewer.")
# Domains whose addresses may make themselves an account; `*`: everybody who can read mail. Empty: by invitation only.
SIGN_UP_DOMAINS = [domain.lower() for domain in _words("KB_SIGN_UP_DOMAINS")]

MFA_ADAPTER = "kb.sign_in.SecondFactorAdapter"
MFA_FORMS = {"authenticate": "kb.sign_in.CodeForm", "reauthenticate": "kb.sign_in.CodeAgainForm"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Postmortem KB"
MFA_TOTP_TOLERANCE = 1  # half a minute before and after: clocks differ, and people type slowly at night
MFA_ALLOW_UNVERIFIED_EMAIL = True  # see ACCOUNT_EMAIL_VERIFICATION: nobody holds an account by a claimed address

SOCIALACCOUNT_ADAPTER = "postmortems.views.signing_in.AuditedProviderAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # kb/single_sign_on.py matches accounts itself
SOCIALACCOUNT_STORE_TOKENS = False


def _identity_provider() -> dict[str, object]:
    """The one OpenID Connect provider, as allauth wants it; none without KB_OIDC_ISSUER."""
    issuer = str(env.str("KB_OIDC_ISSUER", default="")).rstrip("/")
    client, secret = str(env.str("KB_OIDC_CLIENT_ID", default="")), str(env.str("KB_OIDC_CLIENT_SECRET", default=""))
    if not (issuer or client or secret):
        return {}
    if not (issuer and client and secret):
        raise ImproperlyConfigured("KB_OIDC_ISSUER, KB_OIDC_CLIENT_ID and KB_OIDC_CLIENT_SECRET belong together.")
    url = urlsplit(issuer)
    if not url.hostname or not (url.scheme == "https" or url.hostname in {"127.0.0.1", "localhost"}):
        raise ImproperlyConfigured(
            f"KB_OIDC_ISSUER={issuer!r} is no https address. For example https://login.example.org"
        )
    options = {"server_url": issuer, "oauth_pkce_enabled": True, "verified_email": _flag("KB_OIDC_TRUST_EMAIL")}
    app = {"provider_id": "sso", "name": OIDC_NAME, "client_id": client, "secret": secret, "settings": options}
    return {"openid_connect": {"APPS": [app]}}


def _roles_of_groups() -> dict[str, str]:
    pairs = [word.partition("=") for word in _words("KB_OIDC_ROLES")]
    if wrong := [group for group, sign, role in pairs if not (group and sign and role)]:
        raise ImproperlyConfigured(f"KB_OIDC_ROLES: {wrong[0]!r} has no role. For example sre=reviewer,leads=manager")
    return {group.strip(): role.strip() for group, _, role in pairs}


OIDC_NAME = str(env.str("KB_OIDC_NAME", default="single sign-on"))
OIDC_DOMAINS = [domain.lower() for domain in _words("KB_OIDC_DOMAINS")]
OIDC_CREATES_ACCOUNTS = _flag("KB_OIDC_CREATE_ACCOUNTS")
OIDC_ROLES = _roles_of_groups()
SOCIALACCOUNT_PROVIDERS = _identity_provider()
if OIDC_CREATES_ACCOUNTS and SOCIALACCOUNT_PROVIDERS and not OIDC_DOMAINS:
    raise ImproperlyConfigured("KB_OIDC_CREATE_ACCOUNTS needs KB_OIDC_DOMAINS: whose addresses may have an account?")

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
# Times are stored in UTC; this is the zone of readers who have not chosen one.
TIME_ZONE = str(env.str("KB_TIME_ZONE", default="UTC"))
try:
    ZoneInfo(TIME_ZONE)
except (ValueError, OSError, KeyError) as error:
    raise ImproperlyConfigured(f"KB_TIME_ZONE={TIME_ZONE!r} is no time zone. For example Europe/Berlin") from error

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_USE_FINDERS = DEBUG
MEDIA_ROOT = DATA_DIR / "files"  # attachments: never served as a folder, only by the view that asks who is reading
FILE_UPLOAD_PERMISSIONS = 0o600
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

_HTTPS = SITE_URL.startswith("https://")
SECURE_SSL_REDIRECT = _HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _flag("KB_BEHIND_PROXY") else None
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _HTTPS
SECURE_HSTS_PRELOAD = _HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
_days = str(env.str("KB_SESSION_DAYS", default="14"))
if not (_days.isascii() and _days.isdigit() and 1 <= int(_days) <= 365):
    raise ImproperlyConfigured(f"KB_SESSION_DAYS={_days!r} is no number of days from 1 to 365.")
# Counted from the last visit (see SessionIdleMiddleware).
SESSION_COOKIE_AGE = int(_days) * 24 * 3600
# With this prefix no other host of the same domain can set or overwrite them.
SESSION_COOKIE_NAME = "__Host-kb_session" if _HTTPS else "kb_session"
CSRF_COOKIE_NAME = "__Host-kb_csrf" if _HTTPS else "kb_csrf"
X_FRAME_OPTIONS = "DENY"
# The names of Django 6's settings, so that the upgrade deletes our middleware and keeps these lines.
SECURE_CSP = {
    "default-src": ["'none'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "form-action": ["'self'"],
    "base-uri": ["'none'"],
    "object-src": ["'none'"],
    "frame-ancestors": ["'none'"],
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "postmortems.api.access.TokenAuthentication",  # the first one words the 401
        "rest_framework.authentication.SessionAuthentication",
        "kb.sign_in.LimitedBasicAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "postmortems.api.access.HasScope",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["kb.api_parser.JSONParser"],
    "EXCEPTION_HANDLER": "kb.api.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "kb.api_schema.Described",
    "DEFAULT_METADATA_CLASS": "kb.api_options.Options",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Postmortem knowledge base",
    "DESCRIPTION": "What broke, what fixed it, what was promised. The same rules as on the pages.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    # Without its own: choices stay where they are taken.
    "POSTPROCESSING_HOOKS": ["postmortems.api.describing_intake.add_intake", "kb.api_schema.add_shared"],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("KB_LOG_LEVEL", default="INFO")},
}
