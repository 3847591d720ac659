"""Change locks from a calendar file of anybody's making, read in a process of its own: docs/decisions/0042.

``reader`` is the door. All else runs in the child alone, so that no other process loads the libraries or does the work.
"""
