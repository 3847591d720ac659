"""The portal's addresses."""

from django.urls import path

from . import languages, zones
from .views import approvals, feeds, flags, history, locks, models, outbox, plans, portfolio, rollout, sync, timeline

app_name = "portal"
urlpatterns = [
    path("", portfolio.portfolio, name="portfolio"),
    path("timeline/", timeline.timeline, name="timeline"),
    path("feeds/renew/", feeds.renew, name="renew_feeds"),
    path("feeds/end/", feeds.end, name="end_feeds"),
    path("feeds/<str:key>/rollouts.ics", feeds.all_rollouts, name="feed_all"),
    path("feeds/<str:key>/events.atom", feeds.all_events, name="feed_events"),
    path("feeds/<str:key>/people/<path:name>.ics", feeds.of_person, name="feed_person"),
    path("feeds/<str:key>/teams/<path:team>.ics", feeds.of_team, name="feed_team"),
    path("feeds/<str:key>/rollouts/<str:slug>.ics", feeds.of_rollout, name="feed_rollout"),
    path("feeds/<str:key>/rollouts/<str:slug>.atom", feeds.rollout_events, name="feed_rollout_events"),
    path("rollouts/new/", plans.new_rollout, name="new_rollout"),
    path("rollouts/<str:slug>/", rollout.rollout, name="rollout"),
    path("rollouts/<str:slug>/plan/", plans.plan, name="plan"),
    path("rollouts/<str:slug>/items/<int:pk>/", rollout.confirm_item, name="confirm_item"),
    path("rollouts/<str:slug>/phases/<str:phase>/<str:verb>/", rollout.transition, name="transition"),
    path("rollouts/<str:slug>/overrides/<int:pk>/", rollout.review_override, name="review_override"),
    path("rollouts/<str:slug>/do/<str:verb>/", rollout.rollout_verb, name="rollout_verb"),
    path("models/", models.models, name="models"),
    path("models/<slug:slug>/", models.model, name="model"),
    path("flags/", flags.flags, name="flags"),
    path("flags/<int:pk>/", flags.flag, name="flag"),
    path("flags/<int:pk>/readings/", flags.enter_reading, name="enter_reading"),
    path("flags/<int:pk>/who/", flags.who, name="who_is_in"),
    path("approvals/", approvals.inbox, name="approvals"),
    path("approvals/<int:pk>/<str:verb>/", approvals.decide, name="decide"),
    path("locks/", locks.locks_page, name="locks"),
    path("locks/<int:pk>/end/", locks.end_lock, name="end_lock"),
    path("locks/calendars/", locks.calendar, name="lock_calendar"),
    path("locks/calendars/<int:pk>/remove/", locks.remove_calendar, name="remove_calendar"),
    path("outbox/<int:pk>/<str:verb>/", outbox.decide, name="outbox"),
    path("language/", languages.choose, name="language"),
    path("zone/", zones.choose, name="zone"),
    path("sync/", sync.sync, name="sync"),
    path("sync/now/", sync.sync_now, name="sync_now"),
    path("audit/", history.audit, name="audit"),
]
