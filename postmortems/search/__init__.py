"""The only door to kb.search: what of the domain is findable, what changed, and finding it for a reader."""

from kb.search.base import SearchError
from kb.search.upkeep import rebuild_in_background
from postmortems.search.answering import answered_for_everybody
from postmortems.search.changes import CAUSES, changed, gone
from postmortems.search.documents import SCHEMA, SOURCE, Item
from postmortems.search.facets import FACETS, Facet, FacetValue, unknown_values
from postmortems.search.finding import Result, Results, find
from postmortems.search.likeness import CHANNEL_NAMES, Match, Matches, Near, confidence_of, nearest_terms, similar
from postmortems.search.readers import THE_MACHINE, access_of, hidden_changes, reader_of
from postmortems.search.upkeep import prepare_index
from postmortems.search.version import version

__all__ = [
    "CAUSES",
    "CHANNEL_NAMES",
    "FACETS",
    "SCHEMA",
    "SOURCE",
    "THE_MACHINE",
    "Facet",
    "FacetValue",
    "Item",
    "Match",
    "Matches",
    "Near",
    "Result",
    "Results",
    "SearchError",
    "access_of",
    "answered_for_everybody",
    "changed",
    "confidence_of",
    "find",
    "gone",
    "hidden_changes",
    "nearest_terms",
    "prepare_index",
    "reader_of",
    "rebuild_in_background",
    "similar",
    "unknown_values",
    "version",
]
