"""What can be told of a key by looking at it, without asking anybody."""

import string
import zlib

BEGIN = "parley_"
CHECKSUM_LENGTH = 6
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


def is_issued(key: str) -> bool:
    """Says whether a key has the form of those that a gateway makes."""
    return key.startswith(BEGIN)


def is_mistyped(key: str) -> bool:
    """Says whether a key of that form was changed since it was made."""
    begin, end = key[:-CHECKSUM_LENGTH], key[-CHECKSUM_LENGTH:]
    return is_issued(key) and end != checksum(begin)


def checksum(text: str) -> str:
    """Returns what ends a key that begins with `text`."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
