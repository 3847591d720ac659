"""``/style/`` (DEBUG only): each component in every state, in both themes, from the data in ``samples``."""
