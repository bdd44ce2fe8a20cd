"""Deployment settings, all read from the environment.

Business settings are typed columns on Company; nothing here decides an amount or a date.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

from config import files, hosts, logs, mail

BASE_DIR = Path(__file__).resolve().parent.parent
RUN_DIR = Path(os.environ.get("TURNUS_RUN_DIR", BASE_DIR / ".turnus"))


def flag(name: str, default: bool = False) -> bool:
    return os.environ.get(name, "1" if default else "0").lower() in {"1", "true", "yes", "on"}


DEBUG = flag("TURNUS_DEBUG")
SECRET_KEY = os.environ.get("TURNUS_SECRET_KEY", "")
if not SECRET_KEY:
    if not flag("TURNUS_INSECURE_KEY", default=True):
        raise RuntimeError("Set TURNUS_SECRET_KEY to a long random text.")
    SECRET_KEY = "not-for-production-" + "0" * 40
# Keys that encrypt secrets and IBANs, newest first, comma-separated; empty: derived from SECRET_KEY.
KEY_RING = [key for key in os.environ.get("TURNUS_KEY_RING", "").split(",") if key]
ALLOWED_HOSTS = os.environ.get("TURNUS_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [origin for origin in os.environ.get("TURNUS_ORIGINS", "").split(",") if origin]
SITE_URL = os.environ.get("TURNUS_SITE_URL", "http://localhost:8000").rstrip("/")
INTERNAL_IPS = ["127.0.0.1"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.contrib.admin",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "csp",
    "django_structlog",
    "core",
    "catalog",
    "customers",
    "subscriptions",
    "billing",
    "reporting",
    "crm",
    "api",
    "backoffice",
    "portal",
    "demo",
]

MIDDLEWARE = [
    "core.health.HealthMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "core.middleware.LanguageMiddleware",
    "core.middleware.CompanyMiddleware",
    "core.middleware.FilesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
FORM_RENDERER = "core.forms.PartsRenderer"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "core.context_processors.shell",
                "core.design.context.look",
            ],
            "builtins": ["django.templatetags.i18n", "core.templatetags.ui"],
        },
    }
]

DATABASES = {"default": dj_database_url.config(default="postgres:///turnus", conn_max_age=60, conn_health_checks=True)}
# Behind a pooler that hands out connections by the transaction, nothing may outlive one.
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = flag("TURNUS_POOLED")
DATABASES["default"]["OPTIONS"] = hosts.database_options(
    DATABASES["default"].get("OPTIONS", {}), seconds=hosts.silence(os.environ), pooled=flag("TURNUS_POOLED")
)
DATABASES["default"].setdefault("TEST", {})["NAME"] = os.environ.get("TURNUS_TEST_DB", "test_turnus")
# A replica that reports read from, if there is one; nothing is ever written to it.
if os.environ.get("TURNUS_REPORTS_URL"):
    DATABASES["reports"] = dj_database_url.parse(
        os.environ["TURNUS_REPORTS_URL"], conn_max_age=60, conn_health_checks=True
    )
    DATABASES["reports"]["OPTIONS"] = hosts.database_options(
        {"options": "-c default_transaction_read_only=on"},
        seconds=hosts.silence(os.environ),
        pooled=flag("TURNUS_POOLED"),
    )
    DATABASES["reports"]["TEST"] = {"MIRROR": "default"}
DATABASE_ROUTERS = ["core.replica.Router"]
# A benchmark may bill live companies on a server that forgets (`core.durability`); nobody else should.
SILENCED_SYSTEM_CHECKS = ["core.E028"] if flag("TURNUS_MAY_FORGET") else []
# Tests: an event of a type that no page explains fails what wrote it.
STRICT_EVENTS = flag("TURNUS_STRICT_EVENTS")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = os.environ.get("REDIS_URL", "redis://localhost:6379/0")

AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_MAX_EMAIL_ADDRESSES = 1  # Else anybody could tie a stranger's address to their own account.
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 15 * 60  # A mail may take minutes.
ACCOUNT_ADAPTER = "customers.accounts.AccountAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German")), ("fr", _("French")), ("it", _("Italian")), ("es", _("Spanish"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Files are served from where they lie, or collected once with names that change with their content.
PLAIN_STATIC = DEBUG or flag("TURNUS_PLAIN_STATIC", default=True)
STATIC_ROOT = None if PLAIN_STATIC else RUN_DIR / "collected-static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if PLAIN_STATIC
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = PLAIN_STATIC

EMAIL_BACKEND = "core.smtp.Backend"
EMAIL_HOST = os.environ.get("TURNUS_SMTP_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("TURNUS_SMTP_PORT", "1025"))
EMAIL_HOST_USER = os.environ.get("TURNUS_SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("TURNUS_SMTP_PASSWORD", "")
EMAIL_USE_TLS = flag("TURNUS_SMTP_TLS")
EMAIL_TIMEOUT = 20
# How long a payment provider's answer is waited for; without one the charge is asked about later. Far below a lease.
PROVIDER_SECONDS = min(max(int(os.environ.get("TURNUS_PROVIDER_SECONDS") or 25), 3), 60)
# Who carries mail of live companies: smtp, or a provider reached through django-anymail (config/mail.py).
MAIL_PROVIDER = mail.provider_of(os.environ)
ANYMAIL = mail.anymail_of(os.environ)
# Mail of test companies goes to this mail catcher (host:port); without one, only to an SMTP server on this machine.
TEST_SMTP = os.environ.get("TURNUS_TEST_SMTP", "")
# Where VAT ids of customers are asked about: the tax authorities' service, up to the name of its operation; empty:
# nowhere. Test companies never ask it, but a stand-in, if there is one.
VIES_URL = os.environ.get("TURNUS_VIES_URL", "https://ec.europa.eu/taxation_customs/vies/rest-api")
TEST_VIES_URL = os.environ.get("TURNUS_TEST_VIES_URL", "")
# Whether webhooks of test companies may go to this machine, for trying them out; those of live companies never do.
WEBHOOKS_TO_LOOPBACK = flag("TURNUS_WEBHOOKS_TO_LOOPBACK")
# For how many days it is kept what webhook endpoints were sent and answered; 0: for ever, else at least 31.
WEBHOOK_LOG_DAYS = int(os.environ.get("TURNUS_WEBHOOK_LOG_DAYS", "90"))
# For how many days it is kept what was worked off: effects carried out, what mail providers told, jobs and the files
# of reports they wrote, runs of ties and what they heard; 0: for ever, else at least 31.
WORK_LOG_DAYS = int(os.environ.get("TURNUS_WORK_LOG_DAYS", "90"))
# The file `manage.py load_exchange_rates --fetch` gets: reference rates of the European Central Bank.
#: Where test companies reach payment providers; empty: their payments can't be tried out. A live company's gateway
#: talks to the provider's own address, unless it names another that isn't of this machine.
GATEWAY_ADDRESSES = {
    "stripe": os.environ.get("TURNUS_TEST_STRIPE_URL", ""),
    "paypal": os.environ.get("TURNUS_TEST_PAYPAL_URL", ""),
}
#: Where test companies reach the systems they are tied to; empty: their ties can't be tried out. A live company's tie
#: talks to the system's own address alone.
TIE_ADDRESSES = {
    "brevo": os.environ.get("TURNUS_TEST_BREVO_URL", ""),
    "mailchimp": os.environ.get("TURNUS_TEST_MAILCHIMP_URL", ""),
    "hubspot": os.environ.get("TURNUS_TEST_HUBSPOT_URL", ""),
}
ECB_RATES_URL = os.environ.get(
    "TURNUS_ECB_RATES_URL", "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-hist-90d.xml"
)
# The bucket stored files lie in; None: they lie in the database (config/files.py).
FILES_BUCKET = files.bucket_of(os.environ)
DEFAULT_FROM_EMAIL = os.environ.get("TURNUS_FROM", "Turnus <no-reply@localhost>")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
if flag("TURNUS_HTTPS"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31_536_000
SESSION_COOKIE_HTTPONLY = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024

# Throttles and sign-in codes: in PostgreSQL, so that Redis may vanish.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "core_cache"}}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["api.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["api.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["api.bodies.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "api.schema.Schema",
    "EXCEPTION_HANDLER": "api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}
# Calls a key may make, and the seconds they are counted over.
API_RATE = (int(os.environ.get("TURNUS_API_CALLS", "3000")), int(os.environ.get("TURNUS_API_CALLS_SECONDS", "60")))
SPECTACULAR_SETTINGS = {
    "TITLE": "Turnus API",
    "DESCRIPTION": "Customers, plans, subscriptions, invoices and payments. Amounts are decimal text with a currency; "
    "lists are paged by cursor; every POST takes an Idempotency-Key; errors are problem details (RFC 9457).",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": False,
    "POSTPROCESSING_HOOKS": ["api.schema.finish"],
}

# Entries for people (text) or machines (json); INFO adds one for each request and task.
LOGGING = logs.logging_settings(
    level=os.environ.get("TURNUS_LOG_LEVEL", "WARNING"), form=os.environ.get("TURNUS_LOG_FORMAT", "text")
)
logs.configure()
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_STATUS_4XX_LOG_LEVEL = logging.INFO  # refused by us, and told to whoever asked
# Who may read /metrics, as a bearer; empty: this machine alone.
METRICS_TOKEN = os.environ.get("TURNUS_METRICS_TOKEN", "")
