"""Secrets that people choose: whether anybody could guess them."""

from __future__ import annotations

SHORTEST = 16
FEWEST_DIFFERENT = 6
# What stands in examples, letters and digits alone; what is shorter is refused for that.
KNOWN = frozenset(
    {
        "0123456789abcdef",
        "1234567890123456",
        "abcdefghijklmnop",
        "adminadminadminadmin",
        "changemechangeme",
        "changemeinproduction",
        "changethissecret",
        "mysecretapikeyhere",
        "mysupersecretapikey",
        "mysupersecretkey",
        "passwordpassword",
        "pleasechangemenow",
        "replacewithyourkey",
        "replacewithyourownkey",
        "secretsecretsecret",
        "supersecretapikey",
        "thisisasecretkey",
        "youradminapikeyhere",
        "yoursecretapikey",
        "yoursecretapikeyhere",
        "yoursecurekeyhere",
        "yoursecureapikey",
        "yoursecureapikeyhere",
        "yourverysecureapikeyhere",
    }
)


def weakness(secret: str) -> str:
    """Say what is wrong with a secret, nothing when it will do."""
    if not secret:
        return "is not set"
    if len(secret) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    if "".join(filter(str.isalnum, secret.lower())) in KNOWN:
        return "is one that stands in examples"
    if len(set(secret)) < FEWEST_DIFFERENT:
        return f"has fewer than {FEWEST_DIFFERENT} different characters"
    return ""
