"""Facts and answers of rules stay as they were said: who has one in hand need not fear that somebody changes it."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

from rollouts import rules

#: What is at work inside one function, and given to nobody.
AT_WORK = {"_Tongue", "_Cursor"}


def kinds():
    for found in pkgutil.iter_modules(rules.__path__, "rollouts.rules."):
        for name, kind in vars(importlib.import_module(found.name)).items():
            if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == found.name:
                yield name, kind


def test_each_is_frozen_and_takes_no_attribute_that_it_does_not_name():
    loose = {name for name, kind in kinds() if not (kind.__dataclass_params__.frozen and "__slots__" in vars(kind))}
    assert loose == AT_WORK
