"""A full-text engine: documents in, hits out. It knows no model; `README.md` here says how to add an engine."""
