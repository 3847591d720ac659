"""Every sentence has its translation: whole, with the same placeholders, compiled, and for all that the portal says."""

import polib
import pytest

from tests.translations import CATALOGUES, PLACEHOLDER, ROOT, found, in_python, in_template, key

pytestmark = pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])


def texts(entry):
    return list(entry.msgstr_plural.values()) or [entry.msgstr]


def test_the_catalogue_holds_what_the_portal_says_and_nothing_that_is_gone(path):
    held = {key(entry) for entry in polib.pofile(str(path))}
    said = set(found())
    assert not [message.text for message in said - held], "run make messages"
    assert not [message.text for message in held - said], "run make messages"


def test_every_message_is_translated(path):
    open_ones = [entry.msgid for entry in polib.pofile(str(path)) if not all(texts(entry)) or "fuzzy" in entry.flags]
    assert not open_ones, f"{path.relative_to(ROOT)} lacks {len(open_ones)} translations"


def test_a_translation_has_the_placeholders_and_the_full_stop_of_its_message(path):
    wrong = []
    for entry in polib.pofile(str(path)):
        wanted = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        for text in filter(None, texts(entry)):
            if not set(PLACEHOLDER.findall(text)) <= wanted or (
                text == texts(entry)[-1] and set(PLACEHOLDER.findall(text)) != wanted
            ):
                wrong.append((entry.msgid, text))
            if (entry.msgid_plural or entry.msgid).endswith(".") and not text.endswith("."):
                wrong.append((entry.msgid, text))
    assert not wrong


def test_the_compiled_catalogue_says_the_same(path):
    written = {key(entry): texts(entry) for entry in polib.pofile(str(path)) if all(texts(entry))}
    compiled = {key(entry): texts(entry) for entry in polib.mofile(str(path.with_suffix(".mo")))}
    assert compiled == written, "run make messages"


def test_strings_are_found_in_code_and_in_templates(path):
    code = 'say("{n} " "d", n=1)\nsay_n("a", "b", 2)\n_("c")\npgettext("x", "d")\nsay(variable)\nlog("e")'
    assert [tuple(message) for message in in_python(code)] == [
        ("{n} d", "", ""),
        ("a", "b", ""),
        ("c", "", ""),
        ("d", "", "x"),
    ]
    page = (
        '{% load i18n %}{% translate "It\'s" %}{% blocktranslate count n=n %}{{ n }} day{% plural %}{{ n }} days'
        '{% endblocktranslate %}{{ x|default:_("none") }}{% translate "May" context "verb" %}'
    )
    assert [tuple(message) for message in in_template(page)] == [
        ("It's", "", ""),
        ("%(n)s day", "%(n)s days", ""),
        ("none", "", ""),
        ("May", "", "verb"),
    ]
