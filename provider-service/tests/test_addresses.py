"""Where providers may be pointed to (F16): one address, one meaning, no way inside."""

from __future__ import annotations

import pytest
from parley_provider_service.core.addresses import LONGEST_ADDRESS, check_address
from parley_rpc.faults import InvalidArgument

pytestmark = pytest.mark.unit

PUBLIC = {
    "https://api.example.com": "https://api.example.com",
    "https://api.example.com/": "https://api.example.com",
    "https://api.example.com/v1///": "https://api.example.com/v1",
    "  https://api.example.com/v1\n": "https://api.example.com/v1",
    "HTTPS://API.Example.COM/V1": "HTTPS://API.Example.COM/V1",
    "https://api.example.com:8443/v1": "https://api.example.com:8443/v1",
    "https://api.example.com/v1/%7Eteam": "https://api.example.com/v1/%7Eteam",
    "https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
    "https://my_host.example-1.com": "https://my_host.example-1.com",
    "http://8.8.8.8": "http://8.8.8.8",
    "http://[2001:4860:4860::8888]:8080/v1": "http://[2001:4860:4860::8888]:8080/v1",
    "http://4chat.example": "http://4chat.example",
    "http://face.cafe": "http://face.cafe",
    "http://example.com:25565": "http://example.com:25565",
    "https://a.example/" + "x" * (LONGEST_ADDRESS - 18): "https://a.example/"
    + "x" * (LONGEST_ADDRESS - 18),
}
INNER = [
    "http://localhost:11434",
    "http://LOCALHOST",
    "http://models.localhost",
    "http://127.0.0.1:8000",
    "http://127.1.2.3",
    "http://10.0.0.7/v1",
    "http://192.168.1.2",
    "http://172.16.0.1",
    "http://100.64.0.1",
    "http://198.18.0.1",
    "http://240.0.0.1",
    "http://255.255.255.255",
    "http://[::1]:11434",
    "http://[0:0:0:0:0:0:0:1]",
    "http://[fd12:3456::1]",
    "http://[::ffff:10.0.0.7]",
    "http://[::ffff:7f00:1]",
    "http://[::127.0.0.1]",
    "http://[64:ff9b::10.0.0.7]",
    "http://[2002:a00:7::1]",
]
NEVER = {
    "link-local": [
        "http://169.254.169.254",
        "http://169.254.169.254/latest/meta-data",
        "http://169.254.0.1:80",
        "http://[::ffff:a9fe:a9fe]",
        "http://[::FFFF:169.254.169.254]",
        "http://[0:0:0:0:0:ffff:a9fe:a9fe]",
        "http://[::a9fe:a9fe]",
        "http://[64:ff9b::a9fe:a9fe]",
        "http://[2002:a9fe:a9fe::]",
        "http://[fe80::1]",
        "http://0.0.0.0:11434",
        "http://[::]",
        "http://224.0.0.1",
        "http://[ff02::1]",
        "http://100.100.100.200",
        "http://192.0.0.192",
        "http://168.63.129.16",
        "http://[fd00:ec2::254]",
    ],
    "usual form": [
        "http://0x7f.1",
        "http://0X7F.0.0.1",
        "http://2130706433",
        "http://0177.0.0.1",
        "http://127.1",
        "http://127.0.1",
        "http://0",
        "http://0x7f000001",
        "http://0x",
        "http://0xa9fea9fe",
        "http://169.254.43518",
        "http://256.256.256.256",
        "http://1.2.3.4.5",
        "http://127.0.0.1.",
        "http://2130706433.",
    ],
    "dot": ["http://localhost.", "https://api.example.com.", "http://localhost.:8000"],
    "user": [
        "http://user@host.example",
        "http://user:secret@host.example",
        "http://:secret@host.example",
        "http://@host.example",
        "http://api.example.com@169.254.169.254",
        "http://api.example.com\\@169.254.169.254",
    ],
    "another protocol": [
        "http://example.com:25",
        "http://example.com:0",
        "http://example.com:22/v1",
        "http://example.com:6379",
        "http://127.0.0.1:5432",
        "http://[2001:4860:4860::8888]:587",
    ],
    "query or a fragment": [
        "http://example.com?x=1",
        "http://example.com/v1?",
        "http://example.com/?/..",
        "http://example.com#f",
        "http://example.com/v1#",
    ],
    "http or https": [
        "file:///etc/passwd",
        "gopher://example.com:70/_x",
        "ftp://example.com",
        "javascript:alert(1)",
        "data:text/html,x",
        "unix:///var/run/docker.sock",
        "//example.com",
        "example.com",
        "example.com:443",
        "localhost:11434",
        "http:",
        "http://",
        "http:///v1",
        "http://:8080",
        "http:example.com",
        "http://example.com:port",
        "http://example.com:65536",
        "http://example.com:-1",
        "http://example.com:+80",
        "http://[::1",
        "http://[::1]x:80:90",
        "http://exa mple.com",
        "http://example.com/a b",
        "",
        "   ",
        "/",
    ],
    "printable ASCII": [
        "http://exa\nmple.com",
        "http://example.com/\tv1",
        "http://example.com/\0",
        "http://example.com/\x7f",
        "http://example.com/\x1b[2J",
        "http://bücher.example",
        "http://127。0。0。1",
        "http://①②⑦.example",
        "http://\uff4cocalhost",
        "http://example.com/\u202egnp",
        "http://example.com:\uff18\uff10",
        "http://example.com/" + "x" * LONGEST_ADDRESS,
    ],
    "plain name or address": [
        "http://[fe80::1%eth0]",
        "http://[fe80::1%25eth0]",
        "http://[2001:4860:4860::8888%1]",
        "http://%31%36%39.254.169.254",
        "http://127.0.0.1%00.example.com",
        "http://169.254.169.254\\.example.com",
        "http://example.com\\v1",
        "http://exam|ple.com",
        "http://<script>",
        "http://a,b.example",
        "http://a;b.example",
        "http://$host",
        "http://a..b",
        "http://.example.com",
        "http://..",
        "http://" + "x" * 64 + ".example",
        "http://example.com:",
        "http://example.com:0080",
    ],
}
# Which of two rules says so depends on the version of Python, which began to look into brackets.
ODD_BRACKETS = [
    "http://[v1.fe80]",
    "http://[localhost]",
    "http://[127.0.0.1]",
    "http://[::1].example.com",
    "http://example.com[::1]",
    "http://[::1]@example.com",
    "http://[[::1]]",
]
REFUSED = [(address, why) for why, addresses in NEVER.items() for address in addresses]


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize(("text", "stored"), PUBLIC.items(), ids=[text[:60] for text in PUBLIC])
def test_an_address_out_there_is_stored_without_its_last_slashes(
    text: str, stored: str, private: bool
) -> None:
    assert stored == check_address(text, private=private)


@pytest.mark.parametrize("text", INNER)
def test_an_address_in_here_is_for_the_operator_to_allow(text: str) -> None:
    assert text == check_address(text, private=True)
    with pytest.raises(InvalidArgument, match="private address"):
        check_address(text, private=False)


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize(("text", "why"), REFUSED, ids=[repr(text[:60]) for text, _ in REFUSED])
def test_what_is_none_is_refused_with_its_rule(text: str, why: str, private: bool) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_address(text, private=private)

    [violation] = caught.value.violations
    assert "base_url" == violation.field
    assert why in violation.description


@pytest.mark.parametrize("text", ODD_BRACKETS)
def test_brackets_hold_an_ipv6_address_and_nothing_else(text: str) -> None:
    with pytest.raises(InvalidArgument):
        check_address(text, private=True)


def test_a_refusal_does_not_repeat_a_password() -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_address("http://user:hush-hush@host.example", private=True)

    assert "hush-hush" not in repr(caught.value) + str(vars(caught.value))
