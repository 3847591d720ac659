"""All settings, read from the environment or ``.env`` (DESIGN section 6)."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import environ
from csp.constants import NONE, SELF
from environ.fileaware_mapping import FileAwareMapping

from rollouts.rules import bindings, chat, checkpoint_copies, identities, names, origins, working_time

from . import broker

ROOT = Path(__file__).resolve().parent.parent


class Variables(FileAwareMapping):
    """The environment; where ``NAME_FILE`` names a file, NAME is what stands in it, without the last line's end."""

    def __getitem__(self, key: str) -> str:
        try:
            return str(super().__getitem__(key)).rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            sys.exit(f"settings: {key}_FILE can't be read: {reason}. Name a file that the portal's user may read.")


class Environment(environ.Env):
    """Every setting may come from a file, so that no secret need stand in the environment."""

    ENVIRON = Variables()


env = Environment()
if (ROOT / ".env").is_file():
    env.read_env(str(ROOT / ".env"))


def stop(message: str) -> Any:
    """End with one clear line instead of a stack trace."""
    sys.exit(f"settings: {message}")


def number(name: str, default: int, least: int = 1, most: int | None = None) -> int:
    """A whole number."""
    text = env.str(name, default=str(default))
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        stop(f"{name} is {text!r}; it must be a whole number {bounds}.")
    return int(text)


def days(name: str, default: int, least: int) -> int:
    """For how long something is kept: a century at most, which any clock can count back."""
    return number(name, default, least, most=36_500)


def understood(name: str, read: Callable[[str], Any], default: str = "") -> Any:
    """A setting that a rule of ours reads; where it refuses, its words are the last ones."""
    try:
        return read(env.str(name, default=default))
    except ValueError as error:
        return stop(f"{name}: {error}")


def address(name: str, read: Callable[[str], Any], default: str, example: str) -> dict[str, Any]:
    """A setting that is a URL, in its parts; empty is as good as unset."""
    try:
        return dict(read(env.str(name, default="") or default))
    except (environ.ImproperlyConfigured, ValueError, KeyError) as error:
        return dict(stop(f"{name} is not understood ({error}). Write it like {example}"))


DEBUG = env.bool("DEBUG", default=False)
DATA_DIR = Path(env.str("DATA_DIR", default="") or ROOT / "var").absolute()
try:
    DATA_DIR.mkdir(parents=True, exist_ok=True)  # beat and collectstatic need it beside any database
except OSError as failed:
    stop(f"{DATA_DIR} can't be written ({failed.strerror}). Make it a writable folder, or choose another by DATA_DIR.")

# Database: SQLite is one file under var/; with several processes only IMMEDIATE transactions over WAL are safe.
database = address(
    "DATABASE_URL",
    env.db_url_config,
    f"sqlite:///{quote(str(DATA_DIR / 'portal.sqlite3'))}",
    "postgres://user:password@host:5432/name",
)
if not database.get("ENGINE", "").endswith(("sqlite3", "postgresql")):
    stop("DATABASE_URL is of no database that the portal runs on: sqlite and postgres are.")
ON_SQLITE = database["ENGINE"].endswith("sqlite3")
if ON_SQLITE:
    if database["NAME"] != ":memory:":
        database["NAME"] = str((ROOT / database["NAME"]).absolute())
    database["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}  # a file, so that tests can race
    database["OPTIONS"] = {
        **database.get("OPTIONS", {}),
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    database["CONN_MAX_AGE"] = 60
    database["CONN_HEALTH_CHECKS"] = True
DATABASES = {"default": database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def secret_key() -> str:
    """From the environment; else made once under var/, but never beside a production database."""
    given = env.str("SECRET_KEY", default="")
    if given:
        return given
    if not ON_SQLITE:
        stop("SECRET_KEY is not set. Set it to 50 random characters: production needs one that all hosts share.")
    path = DATA_DIR / "secret_key"
    try:
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(50))
        return path.read_text().strip()
    except OSError as error:
        return str(stop(f"{path} can't be written ({error.strerror}). Make {DATA_DIR} a writable folder."))


SECRET_KEY = secret_key()
# Signs checkpoints over the history: Ed25519, PEM. Beside SQLite one is made when it is first needed (audit.sealing).
AUDIT_SIGNING_KEY = env.str("AUDIT_SIGNING_KEY", default="").replace("\\n", "\n")
AUDIT_KEY_PATH = DATA_DIR / "audit_key.pem" if ON_SQLITE else None
PORTAL_URL = understood("PORTAL_URL", names.web_address, "http://localhost:8000").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = [PORTAL_URL]

# GitLab: each secret goes to the address that its name is bound to here, and to no other
GITLAB_URL = understood("GITLAB_URL", lambda written: written and origins.base_address(written))
GITLAB_INSTANCES = understood("GITLAB_INSTANCES", bindings.instances)
GITLAB_TOKEN = env.str("GITLAB_TOKEN", default="")
GITLAB_WEBHOOK_SECRET = env.str("GITLAB_WEBHOOK_SECRET", default="")
GITLAB_WEBHOOK_SIGNING_TOKEN = env.str("GITLAB_WEBHOOK_SIGNING_TOKEN", default="")
vars().update({name: env.str(name, default="") for name in bindings.variables(GITLAB_INSTANCES)})
GITLAB_WRITES = env.str("GITLAB_WRITES", default="off")
if GITLAB_WRITES not in ("off", "issues", "flags"):
    stop(f"GITLAB_WRITES is {GITLAB_WRITES!r}; it must be off, issues or flags.")
CHECKPOINT_COPIES = [
    *understood("AUDIT_CHECKPOINT_FOLDER", checkpoint_copies.folders),
    *understood("AUDIT_CHECKPOINT_MAIL", checkpoint_copies.mail_addresses),
    *understood("AUDIT_CHECKPOINT_ISSUE", checkpoint_copies.issues),
]
AUDIT_CHECKPOINT_HOURS = number("AUDIT_CHECKPOINT_HOURS", 24)
ways = {copied.way for copied in CHECKPOINT_COPIES}
if "issue" in ways and GITLAB_WRITES == "off":
    stop("AUDIT_CHECKPOINT_ISSUE is set, and GITLAB_WRITES is off. Set it to issues, or leave the issue out.")
if "mail" in ways and not env.str("EMAIL_URL", default=""):
    stop("AUDIT_CHECKPOINT_MAIL is set, and no mail is sent. Set EMAIL_URL, or leave the address out.")
GITLAB_FLAG_LOG = understood("GITLAB_FLAG_LOG", lambda written: written and names.project_path(written))
SYNC_INTERVAL_SECONDS = number("SYNC_INTERVAL_SECONDS", 60)
FRESHNESS_SECONDS = number("FRESHNESS_SECONDS", 300)
FLAG_INTERVAL_SECONDS = number("FLAG_INTERVAL_SECONDS", 20)
SYNC_FULL_SECONDS = number("SYNC_FULL_SECONDS", 900)
SYNC_LEASE_SECONDS = number("SYNC_LEASE_SECONDS", 60)
MAINTENANCE = env.str("MAINTENANCE", default="").strip()
LIVE_SECONDS = number("LIVE_SECONDS", 5)
GITLAB_TIMEOUT_SECONDS = number("GITLAB_TIMEOUT_SECONDS", 20)
SYNC_PARALLEL = number("SYNC_PARALLEL", 2)
LOCK_CALENDAR_HOSTS = env.list("LOCK_CALENDAR_HOSTS", default=[])
# Guard metrics: read from a Prometheus server that the environment names, as often as this
PROMETHEUS_PRIVATE = env.bool("PROMETHEUS_PRIVATE", default=False)
PROMETHEUS_URL = understood(
    "PROMETHEUS_URL", lambda written: written and origins.base_address(written, private=PROMETHEUS_PRIVATE)
)
PROMETHEUS_TOKEN = env.str("PROMETHEUS_TOKEN", default="")
PROMETHEUS_USER = env.str("PROMETHEUS_USER", default="")
PROMETHEUS_PASSWORD = env.str("PROMETHEUS_PASSWORD", default="")
if PROMETHEUS_TOKEN and PROMETHEUS_USER:
    stop("PROMETHEUS_TOKEN and PROMETHEUS_USER are both set: one of them signs the portal in. Leave the other out.")
METRICS_INTERVAL_SECONDS = number("METRICS_INTERVAL_SECONDS", 60, least=10, most=3600)
OUTBOX_CLAIM_SECONDS = number("OUTBOX_CLAIM_SECONDS", 10, least=2)
COMMAND_MAY_APPROVE = env.bool("COMMAND_MAY_APPROVE", default=False)
WORKING_HOURS = understood("WORKING_HOURS", working_time.working_hours, working_time.USUAL)
HOLIDAY_CALENDARS = [name.strip() for name in env.str("HOLIDAY_CALENDARS", default="").split(",") if name.strip()]
OVERRIDE_REVIEW_DAYS = number("OVERRIDE_REVIEW_DAYS", 3)

# For how long what is past its use is kept (services.keeping). GitLab sends deliveries again for a week.
KEEP_EVENTS_DAYS = days("KEEP_EVENTS_DAYS", 0, least=0)
if 0 < KEEP_EVENTS_DAYS < 365:
    stop(f"KEEP_EVENTS_DAYS is {KEEP_EVENTS_DAYS}; it must be 0, which keeps events for ever, or 365 and more.")
KEEP_SESSIONS_DAYS = days("KEEP_SESSIONS_DAYS", 1, least=0)
KEEP_LOCK_OUTS_DAYS = days("KEEP_LOCK_OUTS_DAYS", 30, least=1)
KEEP_SYNC_RUNS_DAYS = days("KEEP_SYNC_RUNS_DAYS", 14, least=1)
KEEP_DELIVERIES_DAYS = days("KEEP_DELIVERIES_DAYS", 14, least=7)
KEEP_WRITES_DAYS = days("KEEP_WRITES_DAYS", 365, least=30)
KEEP_LOCKS_DAYS = days("KEEP_LOCKS_DAYS", 730, least=30)
KEEP_TOKENS_DAYS = days("KEEP_TOKENS_DAYS", 365, least=1)
KEEP_NOTICES_DAYS = number("KEEP_NOTICES_DAYS", 90, most=365)  # no longer than the events that they tell of
KEEP_SAMPLES_DAYS = days("KEEP_SAMPLES_DAYS", 90, least=2)
KEEP_VERIFICATIONS_DAYS = days("KEEP_VERIFICATIONS_DAYS", 100, least=7)

INSTALLED_APPS = [
    "rollouts.apps.RolloutsConfig",  # before the admin, so that our templates win
    "whitenoise.runserver_nostatic",
    "rollouts.admin.site.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_filters",
    "django_htmx",
    "csp",
    "axes",
]
MIDDLEWARE = [
    "rollouts.portal.transport.HealthFirst",
    "rollouts.portal.transport.PlainHttpInWords",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    # Before all that answers in words: a thread keeps the language of its last request.
    "rollouts.portal.languages.ReadersLanguage",
    "rollouts.audit.middleware.RequestSource",
    "rollouts.api.middleware.ProblemDocuments",
    "rollouts.portal.middleware.Maintenance",
    "rollouts.portal.middleware.BoundedWaits",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "rollouts.portal.transport.KeptByNobody",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "rollouts.portal.middleware.RefusalsInWords",
    "rollouts.portal.middleware.RefuseBodies",
    "rollouts.portal.middleware.RefuseNul",
    "rollouts.portal.zones.ViewersZone",
    "rollouts.portal.middleware.OwnPasswordFirst",
    "rollouts.portal.middleware.SecondFactorFirst",
    "rollouts.portal.devices.KnownDevices",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "rollouts.portal.live.FollowedPages",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
MISSING_VALUE = "\N{REPLACEMENT CHARACTER}missing %s\N{REPLACEMENT CHARACTER}"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "rollouts.portal.context.chrome",
            ],
            "libraries": {"portal": "rollouts.portal.templatetags.portal"},
        },
    },
    {  # what a mail lacks is seen before it is sent (portal.mails)
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "NAME": "mail",
        "DIRS": [ROOT / "templates"],
        "OPTIONS": {"string_if_invalid": MISSING_VALUE},
    },
]

# Who signs in: by password, and by an identity provider where one is named
OIDC_ISSUER = understood("OIDC_ISSUER", lambda written: written and origins.server_address(written))
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="")
OIDC_NAME = env.str("OIDC_NAME", default="GitLab")
OIDC_ROLES = understood("OIDC_ROLES", identities.roles_by_group)
OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", default="groups")
OIDC_UNMAPPED = env.bool("OIDC_UNMAPPED", default=True)
OIDC_ONLY = env.bool("OIDC_ONLY", default=False)
if OIDC_ISSUER and not (OIDC_CLIENT_ID and OIDC_CLIENT_SECRET):
    stop("OIDC_ISSUER is set; it needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET, which the provider gives you.")
if OIDC_ONLY and not OIDC_ISSUER:
    stop("OIDC_ONLY would let nobody in: OIDC_ISSUER is not set.")
REQUIRE_SECOND_FACTOR = understood("REQUIRE_SECOND_FACTOR", identities.roles_named)
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "rollouts.portal.signing_in.Passwords",
    "rollouts.portal.signing_in.ByProvider",
    "django.contrib.auth.backends.ModelBackend",  # so that sessions of earlier releases go on
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
TRUSTED_PROXIES = number("TRUSTED_PROXIES", 0, least=0)
AXES_HANDLER = "rollouts.portal.lockout.Lockout"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # who goes on guessing keeps nobody out for longer
AXES_LOCKOUT_PARAMETERS = "rollouts.portal.lockout.counted_under"
AXES_USERNAME_CALLABLE = "rollouts.portal.lockout.counted_as"
AXES_CLIENT_IP_CALLABLE = "rollouts.portal.signing_in.address_of"
AXES_DISABLE_ACCESS_LOG = True  # sign-ins are in the history
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_LOCKOUT_CALLABLE = "rollouts.portal.lockout.answer"

# What the browser may do
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
OVER_HTTPS = PORTAL_URL.startswith("https://")
SECURE_SSL_REDIRECT = OVER_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$", r"^hooks/", r"^api/"]  # portal.transport
SECURE_HSTS_SECONDS = 31_536_000 if OVER_HTTPS else 0
# Both bind every name below the portal's, and preloading can't be taken back for months: only on request.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = OVER_HTTPS and env.bool("HSTS_PRELOAD", default=False)
# That subdomains and preloading are left out is the operator's choice: HSTS_PRELOAD.
SILENCED_SYSTEM_CHECKS = [] if SECURE_HSTS_PRELOAD else ["security.W005", "security.W021"]
SESSION_ENGINE = "rollouts.models.sessions"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = OVER_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
if env.bool("TRUST_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 10_485_760  # a plan of 2 MB reaches the page that says what is wrong with it

# Words and files
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [ROOT / "locale"]
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = OVER_HTTPS
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "config.formats"
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [ROOT / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Outside services
CACHES = {"default": address("CACHE_URL", env.cache_url_config, "locmemcache://", "rediscache://host:6379/1")}
EMAIL_CONFIG = address("EMAIL_URL", env.email_url_config, "consolemail://", "smtp://user:password@host:25")
vars().update(EMAIL_CONFIG)
SENDS_MAIL = bool(env.str("EMAIL_URL", default=""))  # else it goes to the console, and nobody is owed any
MAIL_SETTLE_SECONDS = number("MAIL_SETTLE_SECONDS", 60, least=0, most=300)
# Chats by name, as Apprise addresses them: each is a secret. Mail and chat go to no private address but of these.
NOTIFY_URLS = understood("NOTIFY_URLS", chat.rooms)
PRIVATE_NETWORKS = understood("PRIVATE_NETWORKS", chat.networks)
EMAIL_TIMEOUT = 20  # seconds; a mail server that hangs holds nothing else up
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default="") or f"portal@{urlsplit(PORTAL_URL).hostname or 'localhost'}"

# Jobs
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="embedded://")
if CELERY_BROKER_URL.startswith("embedded:"):
    CELERY_BROKER_URL = "embedded://localhost//"
    CELERY_BROKER_TRANSPORT_OPTIONS = broker.options(DATA_DIR / "broker")
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = broker.hasty(CELERY_BROKER_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 600
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat")


def every(seconds: int, task: str) -> dict[str, Any]:
    """Beat rings for a task; a ring that nobody has heard for twice as long expires, for others came since."""
    return {"task": f"rollouts.tasks.{task}", "schedule": seconds, "options": {"expires": 2 * seconds}}


CELERY_BEAT_SCHEDULE = {
    "sync": every(min(15, SYNC_INTERVAL_SECONDS), "sync_due"),
    "flags": every(FLAG_INTERVAL_SECONDS, "flags_due"),
    "deliveries": every(5, "work_deliveries"),
    "outbox": every(min(5, SYNC_INTERVAL_SECONDS), "work_outbox"),
    "due": every(5, "work_due"),
    "metrics": every(min(15, METRICS_INTERVAL_SECONDS), "read_metrics"),
    "calendars": every(300, "read_calendars"),
    "seal": every(60, "seal_history"),
    "notices": every(5, "tell_people"),
    "mail": every(5, "send_mail"),
    "chat": every(5, "send_chat"),
    "clock": every(60, "watch_clock"),
    "loose_ends": every(900, "tell_loose_ends"),  # once a week; more often so that one that was missed is made up for
    "verify": every(24 * 3600, "verify_history"),
    "copies": every(300, "copy_checkpoints"),
    "keep": every(3600, "keep"),  # once a day; each hour so that one that was broken off goes on
}

# Logs: one line per event on stderr; JSON where no person is looking
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "config.logs.Line", "for_people": sys.stderr.isatty() or DEBUG}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"django": {"handlers": ["console"], "level": "WARNING", "propagate": False}},
}
