"""Our engine beside others, on the same documents, in one run: `manage.py benchmark`. Knows no model."""
