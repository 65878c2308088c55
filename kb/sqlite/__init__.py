"""Django's SQLite as a server wants it, for the ``ENGINE`` of a database."""
