"""System checks: each finds its fault, and finds none in the settings as they are."""

from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from kb import checks


def ids(**settings: object) -> set[str]:
    with override_settings(**settings):
        return {str(message.id) for message in run_checks(include_deployment_checks=True) if message.id}


def ours(**settings: object) -> set[str]:
    return {each for each in ids(**settings) if each.startswith("kb.")}


def test_the_settings_as_they_are_have_no_fault() -> None:
    assert ours() == set()


@pytest.mark.parametrize("url", ["elastic:", "", "whoosh", "http://localhost:9200"])
def test_an_unknown_search_engine_is_an_error_that_names_the_known_ones(url: str) -> None:
    assert ours(SEARCH_URL=url) == {"kb.E002"}

    with override_settings(SEARCH_URL=url):
        (message,) = checks.search_engine_is_known(None)
    assert "whoosh:" in str(message.hint)


@pytest.mark.parametrize("url", ["kb.example.org", "ftp://kb.example.org", "https://", "https://kb.example.org/app"])
def test_an_address_that_is_none_is_an_error(url: str) -> None:
    assert "kb.E003" in ours(SITE_URL=url)


def test_plain_http_beyond_this_machine_is_a_warning() -> None:
    assert ours(SITE_URL="http://kb.example.org") == {"kb.W001"}
    assert ours(SITE_URL="http://localhost:8000") == ours(SITE_URL="https://kb.example.org") == set()


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_limits_that_each_worker_counts_for_itself_are_a_warning(backend: str) -> None:
    assert ours(CACHES={"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}) == {"kb.W002"}


@pytest.mark.parametrize("name", ["index", "cache"])
def test_an_index_or_cache_that_others_may_write_is_an_error(tmp_path: Path, name: str) -> None:
    index = tmp_path / name
    index.mkdir(mode=0o700)
    assert ours(DATA_DIR=tmp_path) == set()

    index.chmod(0o770)

    assert ours(DATA_DIR=tmp_path) == {"kb.E004"}
