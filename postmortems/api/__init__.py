"""The same house by another door: REST under /api/v1/."""
