"""What models write, made harmless."""

import time

import pytest
from parley_ui.markdown import plain, safe_markdown

pytestmark = pytest.mark.unit

JOINER = "\u2060"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "![a cat](https://evil.example/c.png)",
            "[a cat (image at evil.example)](https://evil.example/c.png)",
        ),
        (
            "![](<https://evil.example/c.png> 'x')",
            "[Image (image at evil.example)](https://evil.example/c.png)",
        ),
        ("![x](/c.png)", "[x (image at no other host)](/c.png)"),
        ("![x](http://[)", "[x (image at an odd address)](http://[)"),
        ("![a [nested] one](https://e.example/)", r"\![a [nested] one](https://e.example/)"),
        ("![alt][ref]", r"\![alt][ref]"),
        ("![half an imag", r"\![half an imag"),
        ("from $5 to $6", r"from \$5 to \$6"),
        (":red[alarm] and a: [link](b)", "&#58;red[alarm] and a: [link](b)"),
        (":color[x]{foreground=red}", "&#58;color[x]{foreground=red}"),
        (":::note\ntext\n:::", "&#58;&#58;&#58;note\ntext\n:::"),
        (":material/delete: :streamlit:", f":{JOINER}material/delete: :{JOINER}streamlit:"),
        ("<b>x</b> List<int> 1 < 2", r"\<b>x\</b> List\<int> 1 < 2"),
        ("<https://a.example>", "<https://a.example>"),
        ("at 10:30, std::vector", "at 10:30, std::vector"),
    ],
)
def test_prose_is_defused(said: str, shown: str) -> None:
    assert safe_markdown(said) == shown


@pytest.mark.parametrize(
    "code",
    [
        "`$x ![a](b) :red[c]`",
        "``a ` b $``",
        "```python\nprint('$5 ![a](b) :red[c]')\n```",
        "~~~\n$x\n```\n$y\n~~~",
        "- a list:\n  ```sh\n  echo $HOME\n  ```",
        "> ```\n> $quoted\n> ```",
        "```js\nnot closed $yet",
    ],
)
def test_code_stays_as_it_is(code: str) -> None:
    assert safe_markdown(code) == code


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("```\n$a\n```\n$b", "```\n$a\n```\n\\$b"),
        ("a ` is no code, $5", r"a ` is no code, \$5"),
        ("`one\n\n$two`", "`one\n\n\\$two`"),
        (r"\`$5`", r"\`\$5`"),
        ("`` ` $a `` $b", r"`` ` $a `` \$b"),
        ('<a title="`"> ![x](y) `', '\\<a title="`"> ![x](y) `'),
        ("```mermaid\ngraph TD\n```", "```text\ngraph TD\n```"),
    ],
)
def test_what_only_looks_like_code_is_prose(said: str, shown: str) -> None:
    assert safe_markdown(said) == shown


@pytest.mark.parametrize("part", ["`", "<a", "` `` ``` ", "![", "![a](", ":a[", "$", "> ", "```\n"])
def test_hostile_text_takes_no_long_time(part: str) -> None:
    text = part * (200_000 // len(part))
    began = time.perf_counter()
    safe_markdown(text)
    assert time.perf_counter() - began < 2


def test_plain_text_shows_letter_by_letter() -> None:
    assert plain("**a** :red[b]\n$c <d>") == r"\*\*a\*\* \:red\[b\] \$c \<d\>"
    assert plain(":material/delete:") == rf"\:{JOINER}material\/delete\:"
