"""Plans that say when a step is wanted."""


def planned(at, *steps):
    """Steps with the time that the plan wants the second at."""
    return f"{list(steps or (1, 25, 100))}, schedule: [{{step: 25, at: {at:%Y-%m-%dT%H:%MZ}}}]"
