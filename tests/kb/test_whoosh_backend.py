"""The embedded engine keeps the contract; its scores are Whoosh's own; damage is named and mended."""

from pathlib import Path

from kb.search.backends.whoosh import WhooshBackend
from kb.search.base import Schema
from tests.kb.search_contract import SearchBackendContract


class TestWhooshBackend(SearchBackendContract):
    score_tolerance = 0.1  # Whoosh keeps a document's length in one byte: 11 becomes 12

    def make_backend(self, folder: Path, schema: Schema) -> WhooshBackend:
        return WhooshBackend(schema, folder)
