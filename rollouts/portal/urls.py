"""The portal's addresses."""

from django.http import HttpResponse
from django.urls import path

app_name = "portal"
urlpatterns = [path("rollouts/<str:slug>/", lambda request, slug: HttpResponse(slug), name="rollout")]
