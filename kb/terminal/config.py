"""Which server, and with which token: from the command line, the environment, or ~/.config/kb/config.toml."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kb.terminal.answers import BadRequest


@dataclass(frozen=True)
class Chosen:
    """`server`: "" for the database of this machine."""

    server: str = ""
    token: str = ""
    warnings: tuple[str, ...] = ()


def chosen(server: str | None, *, is_local: bool) -> Chosen:
    """The token of the file is for the server of the file, and shown to no other."""
    if is_local:
        return Chosen()
    path = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kb" / "config.toml"
    known = _read(path)
    wanted = (server or os.environ.get("KB_SERVER") or known.get("server", "")).rstrip("/")
    if token := os.environ.get("KB_TOKEN"):
        return Chosen(wanted, token)
    token = known.get("token", "") if wanted == known.get("server", "").rstrip("/") else ""
    is_shared = bool(token) and bool(path.stat().st_mode & 0o077)
    warning = f"{path} holds a token and others on this machine may read it: chmod 600 {path}"
    return Chosen(wanted, token, (warning,) if is_shared else ())


def _read(path: Path) -> dict[str, str]:
    try:
        known: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadRequest(f"{path} cannot be read: {error}") from error
    wrong = [name for name in ("server", "token") if not isinstance(known.get(name, ""), str)]
    if wrong:
        raise BadRequest(f'{path}: {wrong[0]} is to be a text: {wrong[0]} = "..."')
    return {name: known[name] for name in ("server", "token") if name in known}
