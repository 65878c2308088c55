"""HTTP for people: fetch what the reader may see, one call, answer."""
