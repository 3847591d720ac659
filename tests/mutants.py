"""``python -m tests.mutants [rules services sync] [--count 100] [--seed 1]``: does a test fail when the code is wrong?

Faults are sown one at a time into copies of the code: a comparison turned, a condition swapped, a constant off by one
(cosmic-ray makes them). Each must be caught by the tests of its floor; what is not is printed with its difference.
"""

from __future__ import annotations

import argparse
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome

ROOT = Path(__file__).resolve().parents[1]
#: The tests that hold each floor.
FLOORS = {"rules": ("tests/rules",), "services": ("tests/services", "tests/models"), "sync": ("tests/sync",)}
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


@dataclass(frozen=True)
class Fault:
    module: str
    operator: str
    occurrence: int
    start: tuple[int, int]
    end: tuple[int, int]

    def sow(self, code: Path) -> tuple[bool, str]:
        """Whether the tests of its floor fail with it in this copy of the code; and the difference that it is."""
        floor = Path(self.module).parts[1]
        near = [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob(f"tests/{floor}/test_*.py"))
                if Path(self.module).stem in path.read_text()]  # fmt: skip
        sown = MutationSpec(code / self.module, self.operator, self.occurrence, self.start, self.end)
        # those that speak of the module come first: most faults end there
        told = mutate_and_test([sown], tests(code, *near, *FLOORS[floor]), PATIENCE)
        if told.worker_outcome != WorkerOutcome.NORMAL:
            raise RuntimeError(f"{self}: {told.output}")
        return told.test_outcome != TestOutcome.SURVIVED, told.diff


def tests(code: Path, *which: str) -> str:
    """The command that runs them on this copy of the code."""
    command = (
        f"env -C {shlex.quote(str(code))} {ROOT}/.venv/bin/python -m pytest -qx -p no:cacheprovider -m 'not drill'"
    )
    return f"{command} {shlex.join(which)}"


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
    chosen = random.Random(asked.seed).sample(known, min(asked.count, len(known)))
    caught = 0
    with tempfile.TemporaryDirectory(prefix="portal-mutants-") as folder, ThreadPoolExecutor(asked.jobs) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(asked.jobs):
            copies.put(code := copied(Path(folder) / str(number)))
        whole = subprocess.run(
            shlex.split(tests(code, *(name for floor in asked.floors for name in FLOORS[floor]))), check=False
        )
        if whole.returncode != 0:
            print("without a fault the tests must pass")
            return 2

        def sow(fault: Fault) -> tuple[bool, str]:
            code = copies.get()
            try:
                return fault.sow(code)
            finally:
                copies.put(code)

        for fault, (is_caught, difference) in zip(chosen, pool.map(sow, chosen), strict=True):
            caught += is_caught
            print(
                f"{'caught  ' if is_caught else 'SURVIVED'} {fault.module}:{fault.start[0]} {fault.operator}",
                flush=True,
            )
            if not is_caught:
                print(difference, flush=True)
    print(f"{caught} of {len(chosen)} caught, of {len(known)} that could be sown")
    return 0 if caught >= 0.95 * len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
