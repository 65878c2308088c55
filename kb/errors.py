"""The family of expected refusals: what a rule of the domain says no to, worded for the reader of the page."""


class DomainError(Exception):
    """A step was refused. `str(error)` is the sentence shown to the person; the API answers it as a 409."""
