"""A GitLab to run against when there is none: demo, tests, benchmarks. Guide: docs/guide/simulator.md."""

from rollouts.simulator.directory import ADMIN_TOKEN, READER_TOKEN
from rollouts.simulator.simulator import Simulator
from rollouts.simulator.state import State
from rollouts.simulator.store import Refused

__all__ = ["ADMIN_TOKEN", "READER_TOKEN", "Refused", "Simulator", "State"]
