"""The AI Gateway's model catalogue: the real one, and damaged ones."""

from __future__ import annotations

from datetime import date

import pytest

from rollouts.rules.catalogue import (
    CatalogueModel,
    DeprecatedModel,
    FeatureSetting,
    parse_models,
    parse_unit_primitives,
)
from tests.conftest import SHARED
from tests.rules.plans import faults_of

MODELS = """\
models:
  - name: "Gemini 2.5 Flash"
    provider: "Gemini Enterprise Agent Platform"
    gitlab_identifier: "gemini_2_5_flash_vertex"
    cost_indicator: "$"
    max_context_tokens: 1_048_576
    family:
      - gemini
    params:
      model: "gemini-2.5-flash"
      temperature: 0.7
    deprecation:
      deprecation_date: "2026-03-01"
      removal_version: "19.5"
  - name: General
    gitlab_identifier: general
    max_context_tokens: 200000
"""

FEATURES = """\
configurable_unit_primitives:
  - feature_setting: "code_completions"
    unit_primitives: ["complete_code"]
    default_models:
      - "codestral"
    selectable_models: ["codestral", "gemini"]
    deprecated_models:
      - identifier: gemini
        deprecation_date: "2026-08-10"
        removal_version: "19.4"
"""


def test_models_with_their_provider_and_where_they_run():
    assert parse_models(MODELS) == (
        CatalogueModel(
            identifier="gemini_2_5_flash_vertex",
            name="Gemini 2.5 Flash",
            provider="Gemini Enterprise Agent Platform",
            host="Vertex AI",
            provider_model_id="gemini-2.5-flash",
            family=("gemini",),
            deprecation_date=date(2026, 3, 1),
            removal_version="19.5",
            max_context_tokens=1_048_576,
        ),
        CatalogueModel(identifier="general", name="General", max_context_tokens=200_000),
    )


def test_features_with_their_models():
    assert parse_unit_primitives(FEATURES) == (
        FeatureSetting(
            name="code_completions",
            default_models=("codestral",),
            selectable_models=("codestral", "gemini"),
            deprecated_models=(DeprecatedModel("gemini", date(2026, 8, 10), "19.4"),),
            unit_primitives=("complete_code",),
        ),
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("models:", "model:", 1, "`models` is missing"),
        ('    gitlab_identifier: "gemini_2_5_flash_vertex"\n', "", 2, "`gitlab_identifier` is missing in models"),
        ("gitlab_identifier: general", "gitlab_identifier: gemini_2_5_flash_vertex", 16, "is there already, on line 4"),
        ('"2026-03-01"', "soon", 13, "is not a date"),
        ('"2026-03-01"', "2026", 13, "write a date in quotes"),
        ("1_048_576", "many", 6, "max_context_tokens must be a whole number, not the text «many»"),
        ("params:\n", "params: &p\n", 9, "anchors and aliases"),
        ("name: General", "name: 4", 15, "name must be text"),
    ],
)
def test_a_damaged_catalogue_is_named_by_line(old, new, line, message):
    assert old in MODELS
    (fault,) = faults_of(parse_models, MODELS.replace(old, new, 1), source="models.yml")
    assert message in fault.message
    assert fault.line == line


def test_a_feature_given_twice():
    twice = FEATURES + '  - feature_setting: "code_completions"\n'
    (fault,) = faults_of(parse_unit_primitives, twice)
    assert str(fault) == "unit_primitives.yml, line 11: «code_completions» is there already, on line 2. Keep one."


@pytest.mark.shared
def test_the_real_catalogue_can_be_read():
    folder = SHARED / "gitlab" / "models"
    models = parse_models((folder / "models.yml").read_bytes())
    features = parse_unit_primitives((folder / "unit_primitives.yml").read_bytes())
    known = {model.identifier: model for model in models}
    assert (len(models), len(features)) == (71, 35)
    assert known["codestral_2508_vertex"].host == "Vertex AI"
    assert known["gemini_2_5_flash_vertex"].deprecation_date == date(2026, 3, 1)
    assert all({*feature.default_models, *feature.selectable_models} <= set(known) for feature in features)
    completions = next(feature for feature in features if feature.name == "code_completions")
    assert completions.default_models == ("codestral_2508_fireworks",)
