"""``python -m tests.mutants [rules services sync] [--count 100] [--seed 1]``: does a test fail when the code is wrong?

Faults are sown one at a time into copies of the code: a comparison turned, a condition swapped, a constant off by one
(cosmic-ray makes them). Each must be caught by a test of its floor that fails; what is not is printed with its
difference. A fault with which its module can't even be imported asks tests nothing: another is sown in its place.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from queue import SimpleQueue
from subprocess import DEVNULL
from typing import Literal

from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator

ROOT = Path(__file__).resolve().parents[1]
#: The tests that hold each floor, the nearest first: what is decided in the rules is done by the services.
FLOORS = {
    "rules": ("tests/rules", "tests/services"),
    "services": ("tests/services", "tests/models"),
    "sync": ("tests/sync",),
}
TURNED = ("Eq_NotEq", "NotEq_Eq", "Lt_GtE", "Lt_LtE", "LtE_Lt", "LtE_Gt", "Gt_LtE", "Gt_GtE", "GtE_Gt", "GtE_Lt",
          "Is_IsNot", "IsNot_Is")  # fmt: skip
OPERATORS = (
    *(f"core/ReplaceComparisonOperator_{turned}" for turned in TURNED),
    "core/AddNot",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/NumberReplacer",
)
#: Seconds; a fault that makes a loop endless is caught by it.
PATIENCE = 1_800
#: Who loops for ever ends with its process: a property would be tried again and again, each time for as long.
PYTEST = ("-m", "pytest", "-qx", "-p", "no:cacheprovider", "--timeout", "120", "--timeout-method", "thread",
          "-m", "not drill and not benchmark")  # fmt: skip
IMPORT = "import django; django.setup(); import {}"

Outcome = Literal["caught", "SURVIVED", "no fault"]


@dataclass(frozen=True)
class Fault:
    module: str
    operator: str
    occurrence: int
    start: tuple[int, int]
    end: tuple[int, int]

    def sow(self, code: Path) -> tuple[Outcome, str]:
        """What the tests of its floor make of it in this copy of the code; and the difference that it is."""
        floor = Path(self.module).parts[1]
        near = [str(path.relative_to(ROOT)) for tests in FLOORS[floor] for path in sorted(ROOT.glob(f"{tests}/test_*.py"))
                if Path(self.module).stem in path.read_text()]  # fmt: skip
        with use_mutation(code / self.module, get_operator(self.operator)(), self.occurrence) as (before, after):
            if after is None:
                raise RuntimeError(f"{self}: nothing to turn there")
            # those that speak of the module come first: most faults end there
            if run(code, *PYTEST, *near, *FLOORS[floor]):
                outcome: Outcome = "SURVIVED"
            else:
                name = self.module.removesuffix(".py").replace("/", ".")
                outcome = "caught" if run(code, "-c", IMPORT.format(name)) else "no fault"
        return outcome, "".join(unified_diff(before.splitlines(True), after.splitlines(True), self.module, self.module))


def run(code: Path, *arguments: str, output: int | None = DEVNULL) -> bool:
    """Whether Python ends well with this, on a copy of the code. What it left running ends with it."""
    command = [f"{ROOT}/.venv/bin/python", *arguments]
    # whoever finds what was compiled within the same second would run the code of before
    given = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    process = subprocess.Popen(command, cwd=code, env=given, stdout=output, stderr=output, start_new_session=True)
    try:
        return process.wait(PATIENCE) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait() == 0


def faults(floor: str) -> Iterator[Fault]:
    """All that could be sown into a floor, in the order of its code."""
    for path in sorted((ROOT / "rollouts" / floor).rglob("*.py")):
        tree = get_ast_from_path(path)
        for name in OPERATORS:
            operator = get_operator(name)()
            places = [place for node in ast_nodes(tree) for place in operator.mutation_positions(node)]
            for occurrence, (start, end) in enumerate(places):
                yield Fault(path.relative_to(ROOT).as_posix(), name, occurrence, start, end)


def copied(folder: Path) -> Path:
    """What is under version control, to be broken, with the same environment."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("floors", nargs="*", default=list(FLOORS), metavar="|".join(FLOORS))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args(arguments)
    known = [fault for floor in asked.floors for fault in faults(floor)]
    drawn = random.Random(asked.seed).sample(known, len(known))
    told: Counter[Outcome] = Counter()
    with tempfile.TemporaryDirectory(prefix="portal-mutants-") as folder, ThreadPoolExecutor(asked.jobs) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(asked.jobs):
            copies.put(code := copied(Path(folder) / str(number)))
        if not run(code, *PYTEST, *(name for floor in asked.floors for name in FLOORS[floor]), output=None):
            print("without a fault the tests must pass")
            return 2

        def sow(fault: Fault) -> tuple[Outcome, str]:
            code = copies.get()
            try:
                return fault.sow(code)
            finally:
                copies.put(code)

        for fault, (outcome, difference) in zip(drawn, pool.map(sow, drawn), strict=True):
            told[outcome] += 1
            print(f"{outcome:<8} {fault.module}:{fault.start[0]} {fault.operator}", flush=True)
            if outcome == "SURVIVED":
                print(difference, flush=True)
            if told["caught"] + told["SURVIVED"] >= asked.count:
                pool.shutdown(wait=True, cancel_futures=True)
                break
    asked_of_tests = told["caught"] + told["SURVIVED"]
    print(
        f"{told['caught']} of {asked_of_tests} caught, of {len(known)} that could be sown; {told['no fault']} were none"
    )
    return 0 if told["caught"] >= 0.95 * asked_of_tests else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
