"""How asking can fail."""


class BadRequest(Exception):
    """What was asked for cannot be done as it was asked."""


class Trouble(Exception):
    """The knowledge base cannot be asked: it is away, does not know us, or is unwell."""
