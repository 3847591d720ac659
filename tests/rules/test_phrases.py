"""Phrases: English to whoever keeps or compares them, the reader's language to whoever reads them."""

import copy
import json
import pickle

import pytest

from rollouts.rules import phrases
from rollouts.rules.blockers import Blocker
from rollouts.rules.phrases import joined, listed, packed, say, say_n, spoken, unpacked

GERMAN = {
    "{what} must stand {length} more.": "{what} muss noch {length} stehen.",
    "{n} day": ("{n} Tag", "{n} Tage"),
    "{these} and {last}": "{these} und {last}",
    "All users": "Alle",
    "{n} request a minute": ("{n} Anfrage je Minute", "{n} Anfragen je Minute"),
    "Broken {name}": "Kaputt {nam}",
}


@pytest.fixture
def german(monkeypatch):
    def one(text):
        return GERMAN.get(text, text)

    def some(singular, plural, n):
        return GERMAN[singular][n != 1]

    monkeypatch.setattr(phrases, "_tongue", phrases._Tongue(one, some, lambda value: f"{value:,}".replace(",", ".")))


@pytest.fixture
def soak():
    return say("{what} must stand {length} more.", what=say("All users"), length=say_n("{n} day", "{n} days", 2))


def test_a_phrase_is_its_english_sentence_to_whoever_keeps_it(soak, german):
    english = "All users must stand 2 days more."
    assert soak == english
    assert f"{soak}" == str(soak) == english
    assert json.dumps({"message": soak}) == f'{{"message": "{english}"}}'
    assert {Blocker("soak", soak)} == {Blocker("soak", english)}


def test_a_reader_gets_it_whole_in_their_language(soak, german):
    assert spoken(soak) == "Alle muss noch 2 Tage stehen."
    assert spoken("as it is") == "as it is"
    assert spoken(say("never translated")) == "never translated"


def test_numbers_are_grouped_as_the_reader_groups_them(german):
    phrase = say_n("{n} request a minute", "{n} requests a minute", 60000)
    assert phrase == "60,000 requests a minute"
    assert spoken(phrase) == "60.000 Anfragen je Minute"
    assert spoken(say_n("{n} request a minute", "{n} requests a minute", 1)) == "1 Anfrage je Minute"


def test_lists_and_sentences_in_a_row_stay_translatable(soak, german):
    assert listed([]) == spoken(joined([])) == ""
    assert spoken(listed(["a"])) == "a"
    assert spoken(listed(["a", "b", say("All users")])) == "a, b und Alle"
    assert spoken(joined([soak, "", soak])) == "Alle muss noch 2 Tage stehen. Alle muss noch 2 Tage stehen."
    assert joined(["{a}", "{b}"], ", ") == "{a}, {b}"


def test_what_was_put_in_is_never_taken_for_a_template_and_is_escaped_on_a_page(german):
    phrase = say("{what} must stand {length} more.", what="{length} <b>", length="1 d")
    assert spoken(phrase) == "{length} <b> muss noch 1 d stehen."
    assert phrase.__html__() == "{length} &lt;b&gt; muss noch 1 d stehen."


def test_a_slip_of_the_translator_shows_the_english(german):
    assert spoken(say("Broken {name}", name="x")) == "Broken x"


def test_it_travels_by_json_pickle_and_copy(soak, german):
    both = joined([soak, "and a name"])
    for copied in (
        unpacked(json.loads(json.dumps(packed(both)))),
        pickle.loads(pickle.dumps(both)),
        copy.deepcopy(both),
    ):
        assert copied == both
        assert spoken(copied) == "Alle muss noch 2 Tage stehen. and a name"
    assert unpacked(packed("plain")) == "plain"


def test_a_template_says_it_in_the_readers_language_and_escapes_it(german):
    from django.template import Context, Engine

    page = Engine().from_string('<p title="{{ phrase }}">{{ phrase }}</p>')
    said = page.render(Context({"phrase": say("{what} must stand {length} more.", what='"<', length=1000)}))
    assert said == ('<p title="&quot;&lt; muss noch 1.000 stehen.">&quot;&lt; muss noch 1.000 stehen.</p>')


@pytest.mark.parametrize(
    ("parts", "all_of_them", "one_of_them"),
    [
        ([], "", ""),
        (["a"], "a", "a"),
        (["a", "b"], "a and b", "a or b"),
        (["a", "b", "c", "d"], "a, b, c and d", "a, b, c or d"),
    ],
)
def test_a_row_of_names(parts, all_of_them, one_of_them):
    assert (phrases.listed(parts), phrases.any_of(parts)) == (all_of_them, one_of_them)


def test_braces_that_are_meant_stay():
    assert (say("{{{what}}}", what="x"), say("{{}}"), say("plain")) == ("{x}", "{}", "plain")


@pytest.mark.parametrize("text", ["as it is", "", '["', '["{a.b}", {"a": 1}]', '["x", 3]', "[1, {}]", '["never"]'])
def test_a_text_of_somebodys_own_stays_as_it_is(text):
    assert phrases.from_text(phrases.as_text(text)) == text


def test_a_phrase_in_a_column_of_text_is_read_again(soak, german):
    kept = phrases.as_text(soak)
    assert kept.startswith('["')
    assert spoken(phrases.from_text(kept)) == "Alle muss noch 2 Tage stehen."
