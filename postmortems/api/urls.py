"""Addresses under /api/v1/."""

from django.urls import path

from postmortems.api import intake, views

urlpatterns = [
    path("suggestions/", views.SuggestionsView.as_view(), name="api_suggestions"),
    path("search/", views.SearchView.as_view(), name="api_search"),
    path("intake/<slug:source>/", intake.intake_receive, name="intake_receive"),
]
