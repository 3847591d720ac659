"""Django's contrib apps and what they ask for, nothing else."""

import os
from pathlib import Path

DATA = Path(os.environ["DATA_DIR"])
SECRET_KEY = "bare"
APPS = "admin auth contenttypes sessions messages staticfiles humanize"
INSTALLED_APPS = [f"django.contrib.{name}" for name in APPS.split()]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
PROCESSORS = ("template.context_processors.request", "contrib.auth.context_processors.auth",
              "contrib.messages.context_processors.messages")  # fmt: skip
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": [f"django.{name}" for name in PROCESSORS]},
    }
]
ROOT_URLCONF = "bare.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA / "bare.sqlite3"}}
STATIC_URL = "static/"
USE_TZ = True
CELERY_BROKER_URL = "filesystem://"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    name: str(DATA) for name in ("data_folder_in", "data_folder_out", "control_folder", "processed_folder")
}
