"""A PostgreSQL server of our own, thrown away afterwards: reached by a socket in a folder that nobody else can open."""

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kb.search.benchmark.peers import Missing

# As it comes, but for the memory that its manual advises and for listening: a socket, and no port.
SETTINGS = {"shared_buffers": "512MB", "listen_addresses": "''"}


class Server(NamedTuple):
    url: str
    process: int


@contextmanager
def private() -> Iterator[Server]:
    """Raises Missing if PostgreSQL's programs are not on this machine, or do not run."""
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="kb_pg_") as name:
        folder = Path(name)
        server = _Programs(programs, folder, _owner())
        server.run("initdb", "-U", "benchmark", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = {**SETTINGS, "unix_socket_directories": shlex.quote(name)}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        try:
            server.run("pg_ctl", "start", "--wait", "-l", f"{folder}/server.log", "-o", options)
            process = int((folder / "data" / "postmaster.pid").read_text().split("\n")[0])
            yield Server(f"postgresql:///postgres?host={name}&user=benchmark", process)
        finally:
            server.run("pg_ctl", "stop", "-m", "immediate", fails=False)


class _Programs:
    """PostgreSQL's programs, run for the data in this folder. As another user if we are root: it refuses to be."""

    def __init__(self, programs: Path, folder: Path, owner: pwd.struct_passwd | None) -> None:
        self._programs = programs
        self._folder = folder
        self._owner = owner
        if owner:
            os.chown(folder, owner.pw_uid, owner.pw_gid)

    def run(self, program: str, *arguments: str, fails: bool = True) -> None:
        """Raises Missing with the end of its output if it fails."""
        log = self._folder / "log"
        with log.open("wb") as output:
            done = subprocess.run(  # noqa: S603  (a program of this machine)
                [self._programs / program, "-D", self._folder / "data", *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
                user=self._owner.pw_uid if self._owner else None,
                group=self._owner.pw_gid if self._owner else None,
                extra_groups=[] if self._owner else None,
            )
        if done.returncode and fails:
            raise Missing(f"{program} failed: {log.read_text(errors='replace')[-300:]}")


def _programs() -> Path:
    """The folder of PostgreSQL's programs: those in the path, or the newest."""
    found = [Path(path).resolve().parent for path in [shutil.which("initdb")] if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if (folder / "initdb").is_file() and (folder / "pg_ctl").is_file():
            return folder
    raise Missing("no server was named (KB_BENCHMARK_POSTGRES), and its programs are not on this machine")


def _owner() -> pwd.struct_passwd | None:
    if os.geteuid():
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]
