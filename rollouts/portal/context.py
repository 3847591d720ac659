"""What every page shows."""


def chrome(request):
    return {}
