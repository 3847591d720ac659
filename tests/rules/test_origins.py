"""The addresses of servers that the portal asks: https or this machine, nobody's password, one form to compare."""

import pytest

from rollouts.rules import origins
from rollouts.rules.issue_url import parse_issue_url


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://gitlab.example.com", "https://gitlab.example.com"),
        (" https://GitLab.Example.com:443/ ", "https://gitlab.example.com"),
        ("https://example.com:8443/gitlab/", "https://example.com:8443/gitlab"),
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://127.9.9.9", "http://127.9.9.9"),
    ],
)
def test_an_address_is_kept_in_one_form(written, kept):
    assert origins.base_address(written) == kept


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("http://gitlab.example.com", "plain http"),
        ("http://localhost.example.com", "plain http"),
        ("http://127.0.0.1.example.com", "plain http"),
        ("http://127.1", "plain http"),
        ("http://10.0.0.7", "plain http"),
        ("https://root:secret@gitlab.example.com", "user name or password"),
        ("https://@gitlab.example.com", "user name or password"),
        ("https://gitlab.example.com\\@evil.example.com", "character"),
        ("https://gitlab.example.com/?private_token=x", "?"),
        ("https://gitlab.example.com/#x", "#"),
        ("https://git\x00lab.example.com", "character"),
        ("https://git\tlab.example.com", "character"),
        ("ftp://gitlab.example.com", "https://"),
        ("gitlab.example.com", "https://"),
        ("https://gitlab.example.com:99999", "not a web address"),
        ("", "not a web address"),
    ],
)
def test_what_is_no_address_to_send_a_secret_to_is_refused_in_words(written, word):
    with pytest.raises(ValueError, match=r".{20}") as refused:
        origins.base_address(written)
    assert word in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("userinfo", ["root:secret", "root", ":", ""])
def test_an_issue_s_address_holds_no_password_either(userinfo):
    with pytest.raises(ValueError, match="user name or password") as refused:
        parse_issue_url(f"https://{userinfo}@gitlab.example.com/acme/app/-/issues/1")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("written", "origin"),
    [("https://A.example:443/x?y", "https://a.example"), (" http://a.example:8000/", "http://a.example:8000")],
)
def test_an_origin_is_scheme_host_and_port(written, origin):
    assert origins.origin(written) == origin


@pytest.mark.parametrize("written", ["ftp://a.example", "https://", "https:///x", "a.example", ""])
def test_what_has_no_origin_is_refused(written):
    with pytest.raises(ValueError, match="is not a web address"):
        origins.origin(written)
