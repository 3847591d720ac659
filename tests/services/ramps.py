"""A rollout to all users whose ramp goes on by itself."""

from rollouts.services import plans

AUTO = "auto: true, steps: [1, 10, 20, 100]"


def with_ramp(world, ramp=AUTO, soak="15m"):
    """A plan whose ramp is written so, its phase active at 1 % and confirmed."""
    world.plan |= {"soak": soak, "steps": "[1, 10, 20, 100]"}
    plain = "steps: [1, 10, 20, 100]"
    text = world.document()
    assert plain in text
    plans.apply(text.replace(plain, ramp), by=world.actor("mia"), source="plan.yaml")
    world.sync()
    world.confirm()
    world.plan["soak"] = soak
    return world


def started(world, time_machine, **more):
    """At 1 %, the earlier phases done: their soaks pass by."""
    with_ramp(world, **more)
    for phase in ("team", "company"):
        world.confirm(phase)
        world.do("request", phase, "mia")
        world.approve(phase)
        world.sync()
        world.do("start", phase, "mia")
        world.obey()
        go(world, time_machine, minutes=16)
        world.confirm(phase)
        world.do("complete", phase, "mia")
    world.confirm("everyone")
    world.do("request", "everyone", "mia")
    world.approve("everyone")
    world.do("start", "everyone", "mia")
    world.obey()
    return world


def go(world, time_machine, **span):
    world.let_pass(time_machine, **span)
