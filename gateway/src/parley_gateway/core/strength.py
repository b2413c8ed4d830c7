"""Secrets that people choose: whether anybody could guess them."""

from __future__ import annotations

# A key that people choose is guessed over the wire, where wrong ones are counted; what hashes all
# keys would be guessed at leisure by whoever has the database.
SHORTEST_KEY = 8
SHORTEST_PEPPER = 16
FEWEST_DIFFERENT = 5
# What stands in examples and in the lists of guessers, letters and digits alone.
KNOWN = frozenset(
    {
        "0123456789abcdef",
        "12345678",
        "123456789",
        "1234567890",
        "1234567890123456",
        "abcdefgh",
        "abcdefghijklmnop",
        "admin123",
        "adminadmin",
        "adminadminadminadmin",
        "adminkey",
        "administrator",
        "changeme",
        "changeme123",
        "changemechangeme",
        "changemeinproduction",
        "changethis",
        "changethissecret",
        "myapikey",
        "mysecretapikeyhere",
        "mysecretkey",
        "mysupersecretapikey",
        "mysupersecretkey",
        "password",
        "password1",
        "password123",
        "passwordpassword",
        "pleasechangeme",
        "pleasechangemenow",
        "qwertyuiop",
        "replaceme",
        "replacewithyourkey",
        "replacewithyourownkey",
        "secretkey",
        "secretsecret",
        "secretsecretsecret",
        "supersecret",
        "supersecretapikey",
        "supersecretkey",
        "thisisasecretkey",
        "topsecret",
        "yourapikey",
        "yourapikeyhere",
        "youradminapikeyhere",
        "yoursecretapikey",
        "yoursecretapikeyhere",
        "yoursecretkey",
        "yoursecurekeyhere",
        "yoursecureapikey",
        "yoursecureapikeyhere",
        "yourverysecureapikeyhere",
    }
)


def weakness(secret: str, shortest: int) -> str:
    """Say what is wrong with a secret, nothing when it will do."""
    if not secret:
        return "is not set"
    if len(secret) < shortest:
        return f"is shorter than {shortest} characters"
    if "".join(filter(str.isalnum, secret.lower())) in KNOWN:
        return "is one that stands in examples"
    if len(set(secret)) < FEWEST_DIFFERENT:
        return f"has fewer than {FEWEST_DIFFERENT} different characters"
    return ""
