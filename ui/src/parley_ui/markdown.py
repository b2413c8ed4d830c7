"""Text that others wrote, made fit for Streamlit's markdown.

A model may say what it likes: nothing of it may fetch from another host, and nothing of it may be
taken for Streamlit's own notation. Code stays as it is. Where this reads markdown differently from
the browser, the content policy of `server.py` still lets no image through.
"""

import re
from urllib.parse import urlsplit

_FENCE = re.compile(
    r"^(?P<indent>[ \t>]*(?:[-*+]\s+|\d+[.)]\s+)?)(?P<ticks>`{3,}|~{3,})(?P<info>.*)$"
)
_BLANK_LINES = re.compile(r"(\n[ \t]*\n)")
_TICKS = re.compile(r"`+")
_IMAGE = re.compile(
    r"!\[(?P<alt>[^\[\]\n]*+)\]\(\s*+<?(?P<url>[^\s()<>]++)>?[^()\n]*+\)"  # never looks back
)
_MERMAID = re.compile(r"^([ \t>]*(?:`{3,}|~{3,})[ \t]*)mermaid\b", re.MULTILINE)
_TAG = re.compile(r"<(?!https?://[^\s<>`]+>)(?=[A-Za-z/!?])")
_DIRECTIVE = re.compile(r":(?=[A-Za-z][\w-]*[\[{])|^[ \t>]*:{2,}(?=[A-Za-z])", re.MULTILINE)
_ICON = re.compile(r":(?=(?:material[/_]|streamlit:))")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_NO_BREAK = "\u2060"  # invisible; parts a colon from a word that Streamlit would make an icon


def safe_markdown(text: str) -> str:
    """Returns markdown that shows what `text` says, images as links, and nothing else happens."""
    parts: list[str] = []
    prose: list[str] = []
    fence = ""
    # A diagram may hold images of other hosts; its source is shown instead.
    for line in _MERMAID.sub(r"\1text", text).split("\n"):
        opening = None if fence else _FENCE.match(line)
        if fence:
            parts.append(line)
            closed = line.strip(" \t>")
            fence = "" if closed.startswith(fence) and not closed.strip(fence[0]) else fence
        elif opening and "`" not in opening["info"]:
            parts += _safe_prose(prose)
            prose = []
            fence = opening["ticks"]
            parts.append(line)
        else:
            prose.append(line)
    return "\n".join(parts + _safe_prose(prose))


def plain(text: str) -> str:
    """Returns text escaped so that markdown shows it letter by letter, on one line."""
    joined = " ".join(text.split())
    return _PUNCTUATION.sub(r"\\\1", _ICON.sub(f":{_NO_BREAK}", joined))


def _safe_prose(lines: list[str]) -> list[str]:
    paragraphs = _BLANK_LINES.split("\n".join(lines))
    return ["".join(map(_safe_paragraph, paragraphs))] if lines else []


def _safe_paragraph(text: str) -> str:
    """Returns a paragraph defused, but for its code between equal runs of backticks."""
    runs = list(_TICKS.finditer(text))
    closing: dict[int, int] = {}  # the run that closes each run
    last: dict[int, int] = {}  # the leftmost run of each length, going backwards
    for number in reversed(range(len(runs))):
        length = len(runs[number][0])
        if length in last:
            closing[number] = last[length]
        last[length] = number
    safe, end, number = "", 0, 0
    while number < len(runs):
        if number in closing and text[runs[number].start() - 1 : runs[number].start()] != "\\":
            safe += _defused(text[end : runs[number].start()])
            start, number = runs[number].start(), closing[number]
            end = runs[number].end()
            safe += text[start:end]
        number += 1
    return safe + _defused(text[end:])


def _defused(text: str) -> str:
    text = _IMAGE.sub(_as_link, text)
    text = text.replace("![", r"\![").replace("$", r"\$")
    text = _TAG.sub(r"\\<", text)  # no HTML: its quotes would end code in other places than ours
    text = _ICON.sub(f":{_NO_BREAK}", text)
    return _DIRECTIVE.sub(lambda colons: colons[0].replace(":", "&#58;"), text)


def _as_link(image: re.Match[str]) -> str:
    host = _host(image["url"])
    return f"[{image['alt'] or 'Image'} (image at {host})]({image['url']})"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "no other host"
    except ValueError:
        return "an odd address"
