"""The cache that all workers share."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from kb.shared_cache import SharedFileCache

WORKERS, ROUNDS = 8, 40


def test_of_many_who_add_a_key_at_once_one_does(tmp_path: Path) -> None:
    together = Barrier(WORKERS, timeout=30)

    def add(worker: int) -> list[bool]:
        cache, won = SharedFileCache(str(tmp_path / "cache"), {}), []
        for key in range(ROUNDS):
            together.wait()
            won.append(cache.add(f"key-{key}", worker))
        return won

    with ThreadPoolExecutor(WORKERS) as pool:
        rounds = zip(*pool.map(add, range(WORKERS)), strict=True)

    assert [sum(each) for each in rounds] == [1] * ROUNDS


def test_what_ran_out_can_be_added_again(tmp_path: Path) -> None:
    cache = SharedFileCache(str(tmp_path / "cache"), {})

    assert cache.add("key", 1, timeout=-1)
    assert cache.add("key", 2)
    assert not cache.add("key", 3)
    assert cache.get("key") == 2


def test_it_is_for_its_owner_only(tmp_path: Path) -> None:
    SharedFileCache(str(tmp_path / "cache"), {}).add("key", 1)

    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
