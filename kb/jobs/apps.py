"""The jobs as a Django app, for the sake of its tables."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "kb.jobs"
    label = "jobs"
    verbose_name = "Work beside the pages"
