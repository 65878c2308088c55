"""An installation from before postmortems were written here is brought up to date and loses nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = {"KB_DATA_DIR": str(tmp_path_factory.mktemp("upgrade")), "DJANGO_SETTINGS_MODULE": "kb.settings"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KB_")} | place
    done = subprocess.run(
        [sys.executable, "-m", "tests.postmortems.upgrade_process"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_value_of_every_row_is_kept(upgraded: Any) -> None:
    assert upgraded["changed"] == {}


def test_everybody_may_do_what_they_could_before(upgraded: Any) -> None:
    assert upgraded["told"]["roles"] == {
        "alice": ["author", "reviewer"],
        "gone": ["author", "reviewer"],
        "root": ["administrator"],
    }


def test_what_was_cancelled_says_that_no_reason_is_known(upgraded: Any) -> None:
    assert upgraded["told"]["reasons"] == [["A drill", "Not recorded at the time."]]
