"""The forms of Django's admin, sent as a browser would send them."""

import re


def form_of(client, path):
    """The values with which a change page would be posted back as it is."""
    response = client.get(path)
    values = dict(_values(response.context["adminform"].form))
    for inline in response.context["inline_admin_formsets"]:
        for part in [inline.formset.management_form, *inline.formset.forms]:
            values |= dict(_values(part))
    return values


def _values(form):
    for bound in form:
        value = bound.value()
        if value is not None and value is not False:
            yield bound.html_name, value


def answer(client, label, action, things, page, **said):
    chosen = {"action": action, "_selected_action": [thing.pk for thing in things], "confirmed": "yes"}
    return client.post(f"/admin/{label}/", {**chosen, **stood(page), **said}, follow=True)


def stood(page):
    """How each row stood when the page showed it."""
    return dict(re.findall(r'name="(stood-\d+)"\s+value="([^"]*)"', text(page)))


def text(response):
    return response.content.decode()
