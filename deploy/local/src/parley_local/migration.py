"""Brings the schemas of all services up to date, side by side: each has a schema of its own."""

import hashlib
import importlib.util
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import SIGTERM

from parley_local.faults import StartError
from parley_local.identity import Identity
from parley_local.processes import end, launch
from parley_local.services import Service


def fingerprint(services: Sequence[Service]) -> str:
    """Changes with any file of a service: with the same one there is nothing to migrate."""
    digest = hashlib.sha256()
    for service in filter(lambda service: service.migrates, services):
        spec = importlib.util.find_spec(service.module)
        folders = (spec.submodule_search_locations if spec else None) or []
        for file in sorted(f for folder in folders for f in Path(folder).rglob("*.py")):
            known = file.stat()
            digest.update(f"{file} {known.st_size} {known.st_mtime_ns}\n".encode())
    return digest.hexdigest()


class Migration:
    """The running `migrate` of every service that owns a schema."""

    def __init__(
        self,
        services: Sequence[Service],
        environment: Mapping[str, str],
        identity: Identity,
        logs: Path,
    ) -> None:
        """Starts them; each writes `logs/migrate-<name>.log`, anew each time."""
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs = logs
        for service in services:
            if service.migrates:
                log = self._log(service.name)
                log.unlink(missing_ok=True)
                known = service.environment(environment, identity)
                self._running[service.name] = launch(service.command("migrate"), log=log, env=known)

    def is_done(self) -> bool:
        """Whether all have succeeded; raises `StartError` with the words of one that has not."""
        for name, process in self._running.items():
            if process.poll():
                said = self._log(name).read_text(errors="replace").strip()
                raise StartError(f"The migration of {name} failed:\n{said}")
        return all(process.returncode == 0 for process in self._running.values())

    def stop(self) -> None:
        """Ends those that are still running."""
        for process in self._running.values():
            end(process, SIGTERM)

    def _log(self, name: str) -> Path:
        return self._logs / f"migrate-{name}.log"
