"""What a service says when it refuses."""

import pytest

from rollouts.services.refusals import Refused


def refused(call, *arguments, **more):
    with pytest.raises(Refused) as found:
        call(*arguments, **more)
    return found.value
