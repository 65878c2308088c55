"""Settings: production-safe as they come, from the environment, and loud when wrong."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(settings.BASE_DIR)
SHOW = "from kb import settings as s; print({expression})"


def python(code: str, data: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KB_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={**clean, "KB_DATA_DIR": str(data), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def value(expression: str, data: Path, **env: str) -> str:
    done = python(SHOW.format(expression=expression), data, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "wrong", "says"),
    [
        ("KB_TIME_ZONE", "Mars/Base", "no time zone"),
        ("KB_TIME_ZONE", "Europe", "no time zone"),
        ("KB_TIME_ZONE", "../../etc/passwd", "no time zone"),
        ("KB_DATABASE_URL", "nonsense", "known are sqlite: and postgres:"),
        ("KB_DATABASE_URL", "mysql://root:hunter2@localhost/kb", "known are sqlite: and postgres:"),
        ("KB_DATABASE_URL", "postgres://kb:hunter2@localhost", "names no database"),
        ("KB_DATABASE_URL", "sqlite://", "names no database"),
        ("KB_DATA_DIR", "/dev/null/kb", "cannot be made"),
        ("KB_DEBUG", "maybe", "neither yes nor no"),
        ("KB_BEHIND_PROXY", "2", "neither yes nor no"),
        ("KB_CACHE_URL", "memcached://root:hunter2@localhost", "known are file:"),
        ("KB_CACHE_URL", "redis://:hunter2@localhost", "pip install redis"),
        ("KB_EMAIL_URL", "imap://root:hunter2@localhost", "known are smtp+tls:"),
        ("KB_EMAIL_URL", "smtp://", "names no host"),
        ("KB_SESSION_DAYS", "0", "no number of days"),
        ("KB_SESSION_DAYS", "a week", "no number of days"),
        ("KB_ESCALATE_DAYS", "0", "no number of days"),
        ("KB_WEBHOOK_ALLOW", "10.1.2.3/99", "no network and no host"),
        ("KB_OIDC_ISSUER", "https://login.example.org", "belong together"),
        ("KB_OIDC_CLIENT_SECRET", "hunter2", "belong together"),
        ("KB_OIDC_ROLES", "sre", "KB_OIDC_ROLES: 'sre' has no role"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_the_variable(tmp_path: Path, name: str, wrong: str, says: str) -> None:
    done = python("import kb.settings", tmp_path, **{name: wrong})

    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "ImproperlyConfigured" in last
    assert name in last
    assert says in last
    assert "hunter2" not in done.stderr


PROVIDER = {
    "KB_OIDC_ISSUER": "https://login.example.org/realms/main/",
    "KB_OIDC_CLIENT_ID": "kb",
    "KB_OIDC_CLIENT_SECRET": "hunter2",
}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"KB_OIDC_ISSUER": "http://login.example.org"}, "is no https address"),
        ({"KB_OIDC_ISSUER": "login.example.org"}, "is no https address"),
        ({"KB_OIDC_CREATE_ACCOUNTS": "true"}, "KB_OIDC_CREATE_ACCOUNTS needs KB_OIDC_DOMAINS"),
    ],
)
def test_an_identity_provider_that_cannot_be_right_stops_the_start(
    tmp_path: Path, more: dict[str, str], says: str
) -> None:
    done = python("import kb.settings", tmp_path, **{**PROVIDER, **more})

    assert says in done.stderr.strip().splitlines()[-1]
    assert "hunter2" not in done.stderr


def test_an_identity_provider_comes_from_the_environment(tmp_path: Path) -> None:
    code = "s.SOCIALACCOUNT_PROVIDERS['openid_connect']['APPS'][0]"

    app = value(code, tmp_path, **PROVIDER, KB_OIDC_NAME="Example")

    for said in ("'server_url': 'https://login.example.org/realms/main'", "'name': 'Example'", "'secret': 'hunter2'"):
        assert said in app
    assert "'verified_email': False" in app
    assert value("s.SOCIALACCOUNT_PROVIDERS, s.SIGN_UP_DOMAINS", tmp_path) == "{} []"


def test_lists_and_pairs_are_read_with_their_blanks(tmp_path: Path) -> None:
    env = {"KB_OIDC_DOMAINS": "Example.org, example.com", "KB_OIDC_ROLES": "sre=reviewer, team leads = manager"}

    said = value("s.OIDC_DOMAINS, s.OIDC_ROLES", tmp_path, **env)

    assert said == "['example.org', 'example.com'] {'sre': 'reviewer', 'team leads': 'manager'}"


def test_the_mail_server_comes_by_url(tmp_path: Path) -> None:
    names = "s.EMAIL_BACKEND.split('.')[-2], s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_HOST_PASSWORD, s.EMAIL_USE_TLS"

    assert value(names, tmp_path) == "console localhost 25  False"
    assert (
        value(names, tmp_path, KB_EMAIL_URL="smtp+tls://kb:p%40ss@mail.example.org:587")
        == "smtp mail.example.org 587 p@ss True"
    )


@pytest.mark.parametrize(("name", "wrong"), [("KB_SEARCH_URL", "elastic:"), ("KB_URL", "kb.example.org")])
def test_values_that_cannot_work_are_found_by_the_checks(tmp_path: Path, name: str, wrong: str) -> None:
    done = python(
        "import sys; from django.core.management import execute_from_command_line as run; run(['manage.py', 'check'])",
        tmp_path,
        DJANGO_SETTINGS_MODULE="kb.settings",
        **{name: wrong},
    )

    assert done.returncode == 1
    assert f"{name}={wrong!r}" in done.stderr
    assert "(kb.E00" in done.stderr


def test_a_folder_that_cannot_be_written_to_stops_the_start(tmp_path: Path) -> None:
    # Root, who runs the tests in a container, may write anywhere: the system's answer is given for it.
    done = python("import os; os.access = lambda *_: False; import kb.settings", tmp_path, KB_SECRET_KEY="x" * 50)

    assert "cannot be written to" in done.stderr


def test_without_any_variable_it_is_ready_for_production(tmp_path: Path) -> None:
    assert value("(s.DEBUG, s.ALLOWED_HOSTS)", tmp_path) == "(False, ['127.0.0.1', 'localhost'])"


def test_the_secret_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = value("s.SECRET_KEY", tmp_path)

    assert len(first) > 60
    assert value("s.SECRET_KEY", tmp_path) == first
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_processes_that_start_at_once_agree_on_the_secret_key(tmp_path: Path) -> None:
    code = SHOW.format(expression="s.SECRET_KEY")
    env = {**os.environ, "KB_DATA_DIR": str(tmp_path), "KB_SECRET_KEY": ""}
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    keys = {process.communicate(timeout=60)[0].strip() for process in started}

    assert len(keys) == 1
    assert len(keys.pop()) > 60


def test_an_empty_key_file_is_not_taken_for_a_key(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()

    assert "is empty" in python("import kb.settings", tmp_path).stderr


def test_https_makes_cookies_secure_and_is_insisted_on(tmp_path: Path) -> None:
    names = "s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS"

    assert value(names, tmp_path, KB_URL="https://kb.example.org/") == "True True True 31536000"
    assert value(names, tmp_path, KB_URL="http://127.0.0.1:8000") == "False False False 0"
    assert (
        value("s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME", tmp_path, KB_URL="https://kb.example.org")
        == "__Host-kb_session __Host-kb_csrf"
    )


def test_the_site_answers_to_the_host_of_its_address(tmp_path: Path) -> None:
    assert value("s.ALLOWED_HOSTS", tmp_path, KB_URL="https://kb.example.org") == "['kb.example.org', 'localhost']"


def test_a_proxy_is_believed_only_when_there_is_one(tmp_path: Path) -> None:
    assert value("s.SECURE_PROXY_SSL_HEADER", tmp_path) == "None"
    assert "X_FORWARDED_PROTO" in value("s.SECURE_PROXY_SSL_HEADER", tmp_path, KB_BEHIND_PROXY="true")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgres://kb:p%40ss@db.example:5433/kb",
            "('django.db.backends.postgresql', 'kb', 'db.example', 5433, 'p@ss')",
        ),
        ("postgres://kb@//run/postgresql/kb", "('django.db.backends.postgresql', 'kb', '/run/postgresql', '', '')"),
        ("sqlite:////srv/kb.sqlite3", "('kb.sqlite', '/srv/kb.sqlite3', '', '', '')"),
    ],
)
def test_the_database_comes_by_url(tmp_path: Path, url: str, expected: str) -> None:
    code = "tuple(s.DATABASES['default'][k] for k in ('ENGINE', 'NAME', 'HOST', 'PORT', 'PASSWORD'))"

    assert value(code, tmp_path, KB_DATABASE_URL=url) == expected


@pytest.mark.django_db
@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("pragma", "expected"),
    [("synchronous", 1), ("busy_timeout", 20_000), ("foreign_keys", 1), ("temp_store", 2), ("cache_size", -20_000)],
)
def test_sqlite_is_opened_for_several_writers(pragma: str, expected: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {pragma}")
        assert cursor.fetchone() == (expected,)


def test_a_sqlite_file_keeps_a_write_ahead_log_and_takes_its_lock_at_begin(tmp_path: Path) -> None:
    # A file and not the tests' database, which is in memory and has no log.
    code = (
        "import django; django.setup(); from django.db import connection; c = connection.cursor();"
        "c.execute('PRAGMA journal_mode'); print(c.fetchone()[0], connection.transaction_mode)"
    )

    done = python(code, tmp_path, DJANGO_SETTINGS_MODULE="kb.settings")

    assert done.stdout.strip() == "wal IMMEDIATE", done.stderr
