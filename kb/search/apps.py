"""The search engine as a Django app, for the sake of its outbox table."""

from django.apps import AppConfig


class SearchConfig(AppConfig):
    name = "kb.search"
    label = "search"
    verbose_name = "Search index"
