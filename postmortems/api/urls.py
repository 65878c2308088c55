"""Addresses under /api/v1/."""

from django.urls import path

from postmortems.api import views

urlpatterns = [
    path("suggestions/", views.api_suggestions, name="api_suggestions"),
    path("search/", views.api_search, name="api_search"),
]
