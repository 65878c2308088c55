"""The addresses of the domain; a name equals its view's name."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
