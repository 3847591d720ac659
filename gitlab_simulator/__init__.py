"""A GitLab to run against when there is none: demo, tests, benchmarks. See README.md."""

from gitlab_simulator.directory import ADMIN_TOKEN, READER_TOKEN
from gitlab_simulator.simulator import Simulator
from gitlab_simulator.state import State
from gitlab_simulator.store import Refused

__all__ = ["ADMIN_TOKEN", "READER_TOKEN", "Refused", "Simulator", "State"]
