"""The index as the operator meets it: make it ready, rebuild, compare, repair."""

from kb.search.upkeep import Differences, rebuild, stats, sync, verify

__all__ = ["Differences", "prepare_index", "rebuild", "stats", "sync", "verify"]


def prepare_index() -> None:
    """An index that answers: what is pending is learned; without a usable index, a new one is built."""
    sync()
