"""The program that strangers check an export with, as a module: it stands in docs/, on nothing of the portal's."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "docs" / "check_history.py"
_spec = spec_from_file_location("check_history", PATH)
assert _spec is not None
assert _spec.loader is not None
checker = module_from_spec(_spec)
_spec.loader.exec_module(checker)
