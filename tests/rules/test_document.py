"""Reading YAML from strangers: what is taken, and what is refused by line."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules.document import LIMIT, DocumentRefused, read
from tests.rules.plans import EXAMPLE, faults_of


def only_fault(text):
    (fault,) = faults_of(read, text)
    return fault


def test_each_part_knows_its_line():
    document = read("title: x\nphases:\n  team:\n    actors:\n      - user:a\n      - user:b\nowners: [a,\n  b]\n")
    assert document.tree["phases"]["team"]["actors"] == ["user:a", "user:b"]
    assert document.place(("phases", "team")) == 3
    assert document.place(("phases", "team", "actors", 1)) == 6
    assert document.place(("owners", 1)) == 8
    assert document.place(("phases", "team", "nothing", "here")) == 3
    assert document.place(()) == 1


@pytest.mark.parametrize(
    "word", ["on", "off", "yes", "no", "y", "Off", "2026-03-01", "12:30", "010", "0o7", ".inf", "=", "<<"]
)
def test_text_that_other_readers_bend_stays_text(word):
    assert read(f"key: {word}").tree == {"key": word}
    assert read(f"{word}: 1").tree == {word: 1}


def test_scalars_are_what_they_look_like():
    tree = read(
        "a: true\nb: False\nc: 12\nd: 32_766\ne: -3\nf: 1.5\ng:\nh: ~\ni: 'true'\nj: \"5\"\nk: 0x1F\nl: |\n  12\n"
    ).tree
    assert tree == {
        **{"a": True, "b": False, "c": 12, "d": 32766, "e": -3, "f": 1.5, "g": None, "h": None, "i": "true", "j": "5"},
        **{"k": 31, "l": "12\n"},
    }


def test_a_number_as_long_as_a_book_is_not_counted():
    assert read("a: " + "9" * 100_000).tree["a"] == "9" * 100_000


def test_a_byte_order_mark_and_windows_lines_are_fine():
    assert read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n").tree == {"a": 1, "b": 2}


def test_a_key_given_twice_names_both_lines():
    fault = only_fault("title: a\nflag:\n  name: x\n  name: y\n")
    assert str(fault) == "plan.yaml, line 4: `name` is here twice: first on line 3. Keep one of the two."


def test_all_faults_are_told_at_once_by_line():
    faults = faults_of(read, "b: 1\na: &x 1\nb: *x\nc: !!int '3'\n1: z\n", source="p.yaml")
    assert [fault.line for fault in faults] == [2, 3, 3, 4, 5]
    assert all(str(fault).startswith("p.yaml, line ") for fault in faults)


def test_too_large():
    for big in ("a: " + "x" * 2_000_000, b"a: " + b"x" * 2_000_000, "a: " + "ä" * (LIMIT - 10)):
        fault = only_fault(big)
        assert str(fault).startswith("plan.yaml: too large: a document may have 262,144 bytes.")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (b"a: 1\nb: \xff\n", 2, "UTF-8"),
        ("a: 1\n".encode("utf-16"), 1, "UTF-8"),
        (b"a: 1\nb: \x00\n", 2, "U+0000"),
        ("a: 1\n\nb: \x07\n", 3, "U+0007"),
        ("a: \ud800", 1, "U+D800"),
        ('a: 1\nb: "\\0"\n', 2, "control character"),
        ('a: "\\ud800"\n', 1, "control character"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "tags (!!python/object/apply:os.system)"),
        ("a: !secret x\n", 1, "tags (!secret)"),
        ("a: ! x\n", 1, "tags (!)"),
        ("!!map\na: 1\n", 1, "tags (!!map)"),
        ("a: 1\nb: &base {c: 1}\n", 2, "anchors and aliases (&base)"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("- a\n- b\n", 1, "the document is a list"),
        ("just words", 1, "the text «just words»"),
        ("", 1, "the document is empty"),
        ("# nothing\n", 1, "the document is empty"),
        ("---\n...\n", 1, "the document is empty"),
        ("a: 1\n12: b\n", 2, "a key must be text, not the number 12"),
        ("true: b\n", 1, "a key must be text, not `true`"),
        ("~: b\n", 1, "a key must be text, not empty"),
        ("? [a, b]\n: c\n", 1, "a key must be text, not a list"),
        ("a: 1\n\tb: 2\n", 2, "Use spaces, not tabs"),
        ("a: b: c\n", 1, "Put text that holds a colon in quotes"),
        ("a: 1\nb: 'open\n", 3, "Close the quotes"),
        ("a: [1, 2\nb: 3\n", 2, "bracket"),
        ("a: 1\n b: 2\n", 2, "is not YAML"),
        ("a: @x\n", 1, "Put this text in quotes"),
    ],
)
def test_what_is_refused(text, line, message):
    fault = only_fault(text)
    assert fault.line == line
    assert message in fault.message
    assert "\n" not in str(fault)


def test_an_alias_bomb_is_refused_and_never_built():
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    began = time.process_time()
    faults = faults_of(read, bomb)
    assert "anchors and aliases" in faults[0].message
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "bomb", ["a: " + "[" * 100_000, "{a: " * 60_000, "- " * 100_000, "? " * 100_000, "[[]," * 40_000]
)
def test_a_nesting_bomb_is_refused_quickly(bomb):
    began = time.process_time()
    assert "nested deeper than 20" in faults_of(read, bomb)[0].message
    assert time.process_time() - began < 2


def test_too_many_values():
    fault = only_fault("a: [" + "1," * 20_000 + "]")
    assert "more than 10,000 values" in fault.message
    assert len(read("a: [" + "1," * 20_000 + "]", nodes=50_000).tree["a"]) == 20_000


def _never_breaks(text):
    began = time.process_time()
    try:
        assert isinstance(read(text).tree, dict)
    except DocumentRefused as refused:
        assert refused.faults
        assert all(str(fault) and fault.line >= 0 for fault in refused.faults)
    assert time.process_time() - began < 2


@given(
    st.one_of(
        st.text(max_size=200), st.binary(max_size=200), st.text("{}[]&*!:-?|>%@#'\"\\\n\t ab01<=~,.x", max_size=60)
    )
)
def test_nothing_but_a_refusal_comes_of_noise(text):
    _never_breaks(text)


@given(st.data())
def test_nothing_but_a_refusal_comes_of_a_damaged_plan(data):
    text = EXAMPLE
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 8))
        text = (
            text[:at]
            + data.draw(st.text("{}[]&*!:-?|>%#'\"\\\n\t a0\x00\ud800\x85\u2028", max_size=4))
            + text[at + cut :]
        )
    _never_breaks(text)
