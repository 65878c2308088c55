"""Each page test has an index of its own: without one, pages that search would begin to make one in a thread."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def an_index(learn: Any) -> None:
    """`learn` makes an empty one."""
