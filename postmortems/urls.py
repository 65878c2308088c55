"""The addresses of the domain; a name equals its view's name. Refs are `INC-7`, in either case; a slug may follow."""

from django.urls import path

from postmortems.views import account, actions, fixes, glossary, home, incidents, postmortems, searching, suggestions

urlpatterns = [
    path("", home.home, name="home"),
    path("search/", searching.search, name="search"),
    path("incidents/", incidents.incident_list, name="incident_list"),
    path("incidents/new/", incidents.incident_new, name="incident_new"),
    path("incidents/suggestions/", incidents.incident_suggestions, name="incident_suggestions"),
    path("incidents/<str:ref>/", incidents.incident_detail, name="incident_detail"),
    path("incidents/<str:ref>/edit/", incidents.incident_edit, name="incident_edit"),
    path("incidents/<str:ref>/mitigate/", incidents.incident_mitigate, name="incident_mitigate"),
    path("incidents/<str:ref>/resolve/", incidents.incident_resolve, name="incident_resolve"),
    path("incidents/<str:ref>/reopen/", incidents.incident_reopen, name="incident_reopen"),
    path("incidents/<str:ref>/outcome/", incidents.fix_outcome, name="fix_outcome"),
    path("incidents/<str:ref>/verdict/", suggestions.suggestion_verdict, name="suggestion_verdict"),
    path("incidents/<str:ref>/<str:slug>/", incidents.incident_detail),
    path("postmortems/", postmortems.postmortem_list, name="postmortem_list"),
    path("postmortems/<str:ref>/", postmortems.postmortem_detail, name="postmortem_detail"),
    path("postmortems/<str:ref>/source/", postmortems.postmortem_source, name="postmortem_source"),
    path("postmortems/<str:ref>/<str:slug>/", postmortems.postmortem_detail),
    path("fixes/", fixes.fix_list, name="fix_list"),
    path("fixes/<str:ref>/", fixes.fix_detail, name="fix_detail"),
    path("fixes/<str:ref>/<str:slug>/", fixes.fix_detail),
    path("actions/", actions.action_list, name="action_list"),
    path("suggestions/<int:run>/<str:ref>/", suggestions.suggestion_open, name="suggestion_open"),
    path("insights/suggestions/", suggestions.suggestion_quality, name="suggestion_quality"),
    path("glossary/", glossary.glossary_list, name="glossary_list"),
    path("glossary/<int:pk>/", glossary.glossary_edit, name="glossary_edit"),
    path("glossary/<int:pk>/remove/", glossary.glossary_remove, name="glossary_remove"),
    path("account/", account.account, name="account"),
]
