"""Where the lanes of the exposure picture are, in its units, from the top down."""

from __future__ import annotations

WIDTH, LEFT, RIGHT = 760.0, 62.0, 748.0
TOP, BASE = 40.0, 196.0
NAMED, EVENTS, PHASES, PHASES_END, TICKS, HEIGHT = 208.0, 232.0, 248.0, 266.0, 284.0, 292.0
#: A letter of a label takes about so much: where it would be wider than its place, there is none.
LETTER = 5.8
