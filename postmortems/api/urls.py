"""Addresses under /api/v1/. Lists and rows come from the router, a step is `<resource>/<ref>/<step>/`."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from postmortems.api import (
    actions,
    catalogue,
    describing,
    exports,
    fixes,
    glossary,
    imports,
    incidents,
    intake,
    mcp,
    notifications,
    postmortems,
    problems,
    saved_filters,
    slack,
    tokens,
    views,
    webhooks,
)

router = SimpleRouter(use_regex_path=False)
router.register("incidents", incidents.Incidents, "api_incident")
router.register("postmortems", postmortems.Postmortems, "api_postmortem")
router.register("fixes", fixes.Fixes, "api_fix")
router.register("problems", problems.Problems, "api_problem")
router.register("actions", actions.ActionItems, "api_action")
router.register("services", catalogue.Services, "api_service")
router.register("teams", catalogue.Teams, "api_team")
router.register("tags", catalogue.Tags, "api_tag")
router.register("glossary", glossary.Glossary, "api_glossary")
router.register("notifications", notifications.Notifications, "api_notification")
router.register("watches", notifications.Watches, "api_watch")
router.register("saved-filters", saved_filters.SavedFilters, "api_saved_filter")
router.register("tokens", tokens.Tokens, "api_token")
router.register("webhooks", webhooks.Webhooks, "api_webhook")

urlpatterns = [
    path("suggestions/", views.SuggestionsView.as_view(), name="api_suggestions"),
    path("search/", views.SearchView.as_view(), name="api_search"),
    path("intake/<slug:source>/", intake.intake_receive, name="intake_receive"),
    path("mcp/", mcp.mcp, name="mcp"),
    path("slack/command/", slack.slack_command, name="slack_command"),
    path("sections/", catalogue.SectionsView.as_view(), name="api_sections"),
    path("schema/", describing.schema, name="api_schema"),
    path("docs/", describing.docs, name="api_docs"),
    path("docs/<slug:tag>/", describing.docs_of, name="api_docs_of"),
    path("me/", catalogue.MeView.as_view(), name="api_me"),
    path("me/settings/", notifications.SettingsView.as_view(), name="api_settings"),
    path("export/", exports.ExportView.as_view(), name="api_export"),
    path("imports/<str:filename>", imports.ImportView.as_view(), name="api_import"),
    path("", include(router.urls)),
]
