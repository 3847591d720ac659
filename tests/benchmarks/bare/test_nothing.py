"""What a test worker is started for, here and in the portal, when only its start is of interest."""

from django.contrib.auth.models import User


def test_nothing(db):
    assert not User.objects.exists()
