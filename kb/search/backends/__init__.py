"""The engines by the scheme of their URL."""

SCHEMES = {
    "whoosh": "kb.search.backends.whoosh.WhooshBackend",
    "memory": "kb.search.backends.memory.MemoryBackend",
}
