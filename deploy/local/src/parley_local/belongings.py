"""The secrets that go with a database and are not in it, nor in its backup."""

from dataclasses import dataclass

from parley_local.settings import Settings


@dataclass(frozen=True)
class Belonging:
    """A secret: where it is, whether it is there, and what is lost without it. Never its value."""

    name: str
    place: str
    there: bool
    without: str


def belongings(settings: Settings) -> list[Belonging]:
    """What is to be kept apart from a backup, and put back before services run on what it held."""
    secrets = (
        ("key.pepper", "KEY_PEPPER", settings.key_pepper, "all keys of users are void"),
        (
            "master.keys",
            "MASTER_KEY" if settings.master_key else "MASTER_KEY_FILE",
            settings.master_key or settings.master_key_file,
            "vendors' keys have to be stored anew",
        ),
        ("admin.key", "API_KEY", settings.api_key, "the administrator gets another key"),
    )
    home = settings.home.resolve()
    return [
        Belonging(file, setting, there=True, without=without)
        if value
        else Belonging(file, str(home / file), (home / file).exists(), without)
        for file, setting, value, without in secrets
    ]
