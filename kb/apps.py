"""The ground as a Django app: checks, template tags and static files."""

from django.apps import AppConfig


class GroundConfig(AppConfig):
    name = "kb"
    verbose_name = "Ground"

    def ready(self) -> None:
        from kb import checks  # noqa: F401  (registers the checks)
