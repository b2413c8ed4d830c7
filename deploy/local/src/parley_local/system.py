"""All of Parley on one machine: what is started, in which order, and with which secrets."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from signal import SIGTERM

from rich.console import Console

from parley_local.child import Child
from parley_local.home import hold, is_held, remove_state, write_state
from parley_local.identity import Identity
from parley_local.master_keys import new_master_key
from parley_local.migration import Migration, fingerprint
from parley_local.peers import gives_page, refuse_taken_port
from parley_local.postgres import EmbeddedPostgres
from parley_local.processes import end, launch
from parley_local.secret_files import keep
from parley_local.services import Service, services
from parley_local.settings import Settings
from parley_local.supervisor import Stop, Supervisor

DATABASE_SECONDS = 30
MIGRATION_SECONDS = 300
HEALTH_SECONDS = 90
# A service gives what runs 8 s to end, and then itself up to 3 s to write down how it did.
STOP_SECONDS = 15


class System:
    """PostgreSQL, the services and the page, as one thing that is started and stopped."""

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], console: Console, *, ui: bool
    ) -> None:
        """`environment` is what the services get to know; `console` is where a person reads."""
        self._settings = settings
        self._environment = {"PYTHONUNBUFFERED": "1", **environment}
        self._console = console
        self._home = settings.home.resolve()
        self._logs = self._home / "logs"
        self._identity = Identity.of(self._home)
        self._services = [s for s in services(settings) if ui or s.name != "ui"]
        self._stop = Stop()
        self._supervisor = Supervisor(self._stop, self._write_state)
        self._ready = False
        self._postgres = None if settings.outside_database else EmbeddedPostgres(self._home)

    def run(self) -> None:
        """Starts everything, stays until a signal, stops everything.

        Raises `StartError` when something cannot start; what did start is stopped then, too.
        """
        self._stop.listen()
        with self._holding_home():
            for service in self._services:
                refuse_taken_port(service)
            self._make_secrets()
            started = self._start_database() and (self._is_migrated() or self._migrate())
            if started and self._start_services():
                self._greet()
                self._supervisor.run()
            self._say("Stopping.")

    def migrate(self) -> None:
        """Brings the schemas up to date; the embedded PostgreSQL is started for it if need be."""
        self._stop.listen()
        if self._postgres is None:
            self._migrate()
        elif is_held(self._home):
            self._environment["DATABASE_URL"] = self._postgres.url
            self._migrate()
        else:
            with self._holding_home():
                _ = self._start_database() and self._migrate()

    @contextmanager
    def _holding_home(self) -> Iterator[None]:
        """Keeps others off the home; at the end nothing of ours runs any more, and it says so."""
        with hold(self._home):
            try:
                yield
            finally:
                self._supervisor.stop()
                remove_state(self._home)

    def _make_secrets(self) -> None:
        self._identity.complete()
        if not self._settings.has_master_key:
            master_keys = self._home / "master.keys"
            keep(master_keys, make=new_master_key)
            self._environment["MASTER_KEY_FILE"] = str(master_keys)
        if self._settings.key_pepper is None:
            self._environment["KEY_PEPPER"] = keep(self._home / "key.pepper").value
        if self._settings.api_key is None:
            key_file = self._home / "admin.key"
            key = keep(key_file)
            self._environment["API_KEY"] = key.value
            if key.is_new:
                self._say(
                    f"A key for the administrator was made. It is in {key_file}, and here once:"
                )
                self._say(key.value)

    def _start_database(self) -> bool:
        postgres = self._postgres
        if postgres is None:
            return True
        self._supervisor.start(
            Child("postgres", postgres.log, launch=postgres.launch, stop=postgres.stop)
        )
        self._environment["DATABASE_URL"] = postgres.url
        return self._supervisor.until(
            postgres.answers, seconds=DATABASE_SECONDS, what="PostgreSQL does not answer"
        )

    def _is_migrated(self) -> bool:
        """Whether the migrations can be left out: they are half of the time that a start takes.

        For the embedded PostgreSQL only, since nobody else migrates that.
        """
        stamp = self._postgres and self._postgres.stamp
        return bool(stamp and stamp.exists() and stamp.read_text() == fingerprint(self._services))

    def _migrate(self) -> bool:
        migration = Migration(self._services, self._environment, self._identity, self._logs)
        try:
            done = self._supervisor.until(
                migration.is_done, seconds=MIGRATION_SECONDS, what="The migrations are not done"
            )
        finally:
            migration.stop()
        if done and self._postgres:
            self._postgres.stamp.write_text(fingerprint(self._services))
        return done

    def _start_services(self) -> bool:
        self._environment.setdefault("API_URL", self._settings.local_gateway_url)
        for service in self._services:
            self._supervisor.start(self._child(service))
        self._ready = self._supervisor.until(
            self._is_healthy,
            seconds=HEALTH_SECONDS,
            what=f"Parley is not healthy (its logs are in {self._logs})",
        )
        return self._ready

    def _child(self, service: Service) -> Child:
        log = self._logs / f"{service.name}.log"
        known = service.environment(self._environment, self._identity)
        start = partial(launch, service.command("serve"), log=log, env=known)
        return Child(
            service.name,
            log,
            launch=start,
            stop=lambda process: end(process, SIGTERM, grace=STOP_SECONDS),
        )

    def _is_healthy(self) -> bool:
        return all(
            gives_page(service.host, service.port, service.health_path)
            for service in self._services
            if service.health_path
        )

    def _greet(self) -> None:
        self._write_state(self._supervisor.children)
        for name, url in self._urls().items():
            self._say(f"{name:<9}{url}")
        self._say(f"{'logs':<9}{self._logs}")

    def _say(self, words: str) -> None:
        self._console.print(words, soft_wrap=True, highlight=False, markup=False)

    def _urls(self) -> dict[str, str]:
        urls = {"gateway": self._settings.local_gateway_url, "ui": self._settings.ui_url}
        return {s.name: urls[s.name] for s in self._services if s.name in urls}

    def _write_state(self, children: Sequence[Child]) -> None:
        write_state(self._home, ready=self._ready, urls=self._urls(), children=children)
