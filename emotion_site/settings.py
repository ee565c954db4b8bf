"""Every setting of the site. Each `env.` line reads one environment variable; README.md lists them all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from emotion_site import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent
env.read_file(Path(os.environ.get("ENV_FILE") or BASE_DIR / ".env"))

# --- what the environment decides ---

SECRET_KEY = env.secret("SECRET_KEY", at_least=50)
DEBUG = env.boolean("DEBUG")
DATA_DIR = env.folder("DATA_DIR", BASE_DIR / "var")

LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"]
LOOPBACK_HTTP = env.boolean("LOOPBACK_HTTP")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", LOOPBACK_NAMES)
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
TRUST_PROXY = env.whole_number("TRUST_PROXY", 0, low=0, high=9)
if LOOPBACK_HTTP and TRUST_PROXY:
    raise ImproperlyConfigured(
        "LOOPBACK_HTTP=1 serves this machine alone, without HTTPS: TRUST_PROXY accepts only 0 beside it."
    )
if DEBUG and not LOOPBACK_HTTP:
    raise ImproperlyConfigured(
        "DEBUG=1 shows the inside of the site to whoever meets an error: DEBUG accepts 1 only beside "
        "LOOPBACK_HTTP=1, which serves this machine alone."
    )
BIND_HOST = env.text("BIND_HOST", "127.0.0.1")
if LOOPBACK_HTTP:
    ALLOWED_HOSTS = LOOPBACK_NAMES
    BIND_HOST = "127.0.0.1"
PORT = env.whole_number("PORT", 8000, low=1, high=65535)
WEB_WORKERS = env.whole_number("WEB_WORKERS", 2, low=1, high=64)
WEB_THREADS = env.whole_number("WEB_THREADS", 4, low=1, high=64)

FACE_DETECTOR = env.choice("FACE_DETECTOR", "yunet", among=("yunet", "haar", "haar-two-eyes"))
DEFAULT_LABEL_SET = env.slug("DEFAULT_LABEL_SET", "expressions")
MAX_UPLOAD_MB = env.whole_number("MAX_UPLOAD_MB", 20, low=1, high=500)
MAX_MEGAPIXELS = env.whole_number("MAX_MEGAPIXELS", 50, low=1, high=500)
MAX_FILES_PER_UPLOAD = env.whole_number("MAX_FILES_PER_UPLOAD", 20, low=1, high=500)
MAX_FACES = env.whole_number("MAX_FACES", 100, low=1, high=1000)
REVIEW_LEASE_MINUTES = env.whole_number("REVIEW_LEASE_MINUTES", 5, low=1, high=1440)
REVIEW_PROBE_SHARE = env.share("REVIEW_PROBE_SHARE", "0.1")
REVIEW_HIDDEN_SHARE = env.share("REVIEW_HIDDEN_SHARE", "0.1")
GATE_LEVEL = env.share("GATE_LEVEL", "0.01")
GATE_RECALL_FALL = env.share("GATE_RECALL_FALL", "0.03")
GATE_CALIBRATION = env.share("GATE_CALIBRATION", "0.05")
GATE_LATENCY_MS = env.whole_number("GATE_LATENCY_MS", 20, low=1, high=10_000)
GATE_LEAST_EXAMPLES = env.whole_number("GATE_LEAST_EXAMPLES", 100, low=1, high=1_000_000)
GATE_LEAST_OF_LABEL = env.whole_number("GATE_LEAST_OF_LABEL", 10, low=0, high=1_000_000)
RESCORE_DAYS = env.whole_number("RESCORE_DAYS", 30, low=0, high=3650)
RESCORE_AT_MOST = env.whole_number("RESCORE_AT_MOST", 5000, low=0, high=1_000_000)
UPLOAD_RATE = env.rate("UPLOAD_RATE", "60/min")
API_RATE = env.rate("API_RATE", "600/min")
API_ADDRESS_RATE = env.rate("API_ADDRESS_RATE", "60/min")
BULK_RATE = env.rate("BULK_RATE", "10/hour")
MAX_BULK_MB = env.whole_number("MAX_BULK_MB", 200, low=1, high=10_000)
MAX_IMPORT_MB = env.whole_number("MAX_IMPORT_MB", 500, low=1, high=10_000)
MAX_BULK_FILES = env.whole_number("MAX_BULK_FILES", 500, low=1, high=10_000)
FETCH_URLS = env.boolean("FETCH_URLS")
STORED_LONG_SIDE = env.whole_number("STORED_LONG_SIDE", 2048, low=256, high=16384)

# --- applications ---

INSTALLED_APPS = [
    "emotion_site",
    "classifier",
    "classifier.api",
    "labeling",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "csp",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_tasks",
    "django_tasks_db",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "emotion_site.middleware.permissions_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "emotion_site.middleware.keep_pages_private",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "emotion_site.middleware.explain_not_allowed",
    # Last, so that its page knows the user; nothing above it reads the body before this has run.
    "emotion_site.upload_limits.BodySizeMiddleware",
]

ROOT_URLCONF = "emotion_site.urls"
WSGI_APPLICATION = "emotion_site.wsgi.application"
CSRF_FAILURE_VIEW = "emotion_site.errors.csrf_failure"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- data ---

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASE = env.database("DATABASE_URL", DATA_DIR / "db.sqlite3")
# One connection for each thread of a web worker, kept: at most WEB_WORKERS x WEB_THREADS of them.
DATABASE["CONN_MAX_AGE"] = 60
if DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    # IMMEDIATE: two writers wait for each other at a transaction's start instead of failing in its middle.
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; "
        # 1 MB for each connection that is kept, not 2.
        "PRAGMA cache_size=-1000;",
    }
else:
    DATABASE["CONN_HEALTH_CHECKS"] = True
DATABASES = {"default": DATABASE}

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = DATA_DIR / "media"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        # Rate limits live here: the default of 300 entries would forget them under any load.
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

# --- limits on what a request may carry ---

MEGABYTE = 1_000_000
MAX_UPLOAD_BYTES = MAX_UPLOAD_MB * MEGABYTE
MAX_BULK_BYTES = MAX_BULK_MB * MEGABYTE
MAX_IMPORT_BYTES = MAX_IMPORT_MB * MEGABYTE
DATA_UPLOAD_MAX_NUMBER_FILES = MAX_FILES_PER_UPLOAD
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
# A page of the admin may have 100 rows of checkboxes; everything else sends far less.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
# On the disk that is made for photographs: /tmp is often small, or memory.
FILE_UPLOAD_TEMP_DIR = env.made("DATA_DIR", DATA_DIR / "tmp")
FILE_UPLOAD_HANDLERS = [
    "emotion_site.upload_limits.FileSizeHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# --- the API ---

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "classifier.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["classifier.throttling.RequestThrottle"],
    "DEFAULT_PARSER_CLASSES": ["classifier.api.parsers.ObjectParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "classifier.api.negotiation.OneRenderer",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "classifier.api.problems.handle",
    "NUM_PROXIES": TRUST_PROXY,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Expressions on faces",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
}

# --- accounts ---

AUTH_USER_MODEL = "classifier.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

ACCOUNT_ADAPTER = "emotion_site.mail.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_MAX_EMAIL_ADDRESSES = 2
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_USERNAME_MIN_LENGTH = 2
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "http" if LOOPBACK_HTTP else "https"
# Periods as allauth writes them. "ip" is whoever connects, or what TRUST_PROXY proxies say of them.
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "signup": "20/m/ip",
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "20/m/ip",
    "change_password": "5/m/user",
    "manage_email": "10/m/user",
    "confirm_email": "1/3m/key",
    "reauthenticate": "10/m/user",
}
ALLAUTH_TRUSTED_PROXY_COUNT = TRUST_PROXY

DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "emotion site <noreply@localhost>")
EMAIL = env.email("EMAIL_URL", "consolemail://")
EMAIL_BACKEND = EMAIL["EMAIL_BACKEND"]
EMAIL_HOST = EMAIL["EMAIL_HOST"] or "localhost"
EMAIL_PORT = EMAIL["EMAIL_PORT"] or 25
EMAIL_HOST_USER = EMAIL["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = EMAIL["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = EMAIL.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = EMAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 10

# --- security: HTTPS unless this is a server for its own machine ---

HTTPS = not LOOPBACK_HTTP
SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
# Load balancers ask each process by plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "blob:", "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
PERMISSIONS_POLICY = (
    "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), serial=(), midi=(), "
    "display-capture=(), browsing-topics=()"
)

# --- language, time, log ---

LANGUAGE_CODE = "en"
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")
USE_TZ = True

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", among=("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname:<7} {name}: {message}", "style": "{", "datefmt": "%H:%M:%S"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Django gives this one a handler that mails and a handler for DEBUG alone; the root's is enough.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # A user with a large file is no attack: one line by django.request says it, without a traceback.
        "django.security.RequestDataTooBig": {"level": "CRITICAL"},
        "django.security.FileTooLarge": {"level": "CRITICAL"},
        "django.security.SignedOutUpload": {"level": "CRITICAL"},
        "django.security.TooManyFilesSent": {"level": "CRITICAL"},
    },
}
