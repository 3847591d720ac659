"""Where each address leads."""

from django.contrib import admin
from django.urls import include, path

from rollouts.api import root as api
from rollouts.portal import health, hooks, metrics
from rollouts.portal.views import account, again, identity, second_factor

handler400 = "rollouts.portal.views.trouble.not_understood"
handler500 = "rollouts.portal.views.trouble.broken"
urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("accounts/login/", account.SignIn.as_view(), name="login"),
    path("accounts/again/", again.again, name="again"),
    path("accounts/second-factor/", second_factor.show, name="second_factor"),
    path("accounts/second-factor/add/", second_factor.add, name="add_second_factor"),
    path("accounts/second-factor/passkey/", second_factor.add_passkey, name="add_passkey"),
    path("accounts/second-factor/passkey/<int:pk>/remove/", second_factor.remove_passkey, name="remove_passkey"),
    path("accounts/second-factor/codes/", second_factor.renew, name="renew_recovery_codes"),
    path("accounts/second-factor/remove/", second_factor.remove, name="remove_second_factor"),
    path("accounts/logout/", identity.SignOut.as_view(), name="logout"),
    path("accounts/provider/", identity.begin, name="oidc_begin"),
    path("accounts/provider/callback/", identity.callback, name="oidc_callback"),
    path("hooks/gitlab/", hooks.gitlab, name="hook"),
    path("hooks/gitlab/<slug:name>/", hooks.gitlab, name="instance_hook"),
    path("", include("rollouts.portal.urls")),
]
