"""The reference engine keeps the contract."""

from pathlib import Path

from kb.search.backends.memory import MemoryBackend
from kb.search.base import Schema
from tests.kb.search_contract import SearchBackendContract


class TestMemoryBackend(SearchBackendContract):
    def make_backend(self, tmp_path: Path, schema: Schema) -> MemoryBackend:
        return MemoryBackend(schema)
