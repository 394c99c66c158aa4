"""Every setting of the desk, read from the environment once, here and nowhere else.

A setting ``NAME`` that holds a secret can be given as ``NAME_FILE``, the path of a file to read it from.
``.env.example`` has a line for each.
"""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()
env.smart_cast = False
if (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

# --- where things are -----------------------------------------------------------------------------

HOME = Path(env.str("TRADINGSITE_HOME", default=str(BASE_DIR / "var"))).absolute()
RUN_DIR = (HOME / "run").resolve()  # may be a link to a short path: socket paths have a limit of 107 bytes
PORT = env.int("PORT", default=8000)
VENUE_PORT = env.int("VENUE_PORT", default=8001)
FLOWER_PORT = env.int("FLOWER_PORT", default=5555)
BASE_URL = env.str("BASE_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")

# --- Django ---------------------------------------------------------------------------------------

PRODUCTION = env.bool("PRODUCTION", default=False)
DEBUG = env.bool("DEBUG", default=False)


def _generated(name: str) -> str:
    """Read a secret that ``python -m desk`` generated for the embedded desk, '' where there is none."""
    file = HOME / "secrets" / name
    return file.read_text().strip() if file.is_file() else ""


SECRET_KEY = env.str("SECRET_KEY", default=_generated("secret_key"))
if not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY (or SECRET_KEY_FILE) is not set; 'make setup' writes one.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
ADMIN_PATH = env.str("ADMIN_PATH", default="admin/")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "django_celery_beat",
    "pgtrigger",
    "csp",
    "brokers",
    "orders",
    "tasks",
]

MIDDLEWARE = [
    "tradingsite.middleware.express_lane",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "tradingsite.urls"
ASGI_APPLICATION = "tradingsite.asgi.application"
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
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "orders:order-list"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DATETIME_FORMAT = "Y-m-d H:i:s"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # probes speak to the process itself, without TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if PRODUCTION else None
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- PostgreSQL -----------------------------------------------------------------------------------
# Two aliases for one database: `default` is the runtime role, which owns nothing; `owner` migrates.

STATEMENT_TIMEOUT_MS = env.int("STATEMENT_TIMEOUT_MS", default=30_000)
# A process that stands still within a transaction keeps its locks no longer: others wait for them.
IDLE_IN_TRANSACTION_MS = env.int("IDLE_IN_TRANSACTION_MS", default=10_000)


# Over TCP a PostgreSQL whose host is gone without a word is noticed within 10 s, not after the system's quarter of an
# hour: what was sent is unanswered for so long, or what is silent answers no probe. In seconds; the last in ms.
NOTICE_DEAD_PEER = {
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def database(url: str, *, embedded_user: str, embedded_name: str = "tradingsite") -> dict[str, Any]:
    if url:
        config: dict[str, Any] = dict(env.db_url_config(url))
    else:
        config = {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": str(RUN_DIR),
            "NAME": embedded_name,
            "USER": embedded_user,
        }
    options = {"connect_timeout": 2, "application_name": "tradingsite"}
    if config.get("HOST") and not config["HOST"].startswith("/"):
        options |= NOTICE_DEAD_PEER
    config["OPTIONS"] = options | config.get("OPTIONS", {})
    return config


DATABASE_URL = env.str("DATABASE_URL", default="")
OWNER_DATABASE_URL = env.str("OWNER_DATABASE_URL", default=DATABASE_URL)
RUNTIME_ROLE = env.str("RUNTIME_ROLE", default="tradingsite_app")
AUDITOR_ROLE = env.str("AUDITOR_ROLE", default="tradingsite_auditor")
DATABASE_PREPARE = env.bool("DATABASE_PREPARE", default=True)  # off behind a pooler that forgets statements
DATABASE_KEEP_CONNECTIONS = env.bool("DATABASE_KEEP_CONNECTIONS", default=True)
DATABASE_THREADS = env.int("DATABASE_THREADS", default=8)  # of a web process, for the hot path

DATABASES = {
    "default": database(DATABASE_URL, embedded_user=RUNTIME_ROLE),
    "owner": database(OWNER_DATABASE_URL, embedded_user="tradingsite_owner"),
}
DATABASES["default"]["TEST"] = {"MIRROR": "owner"}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASE_PREPARE:
    DATABASES["default"]["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 2}
DATABASES["default"]["OPTIONS"]["options"] = (
    f"-c statement_timeout={STATEMENT_TIMEOUT_MS}"
    f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS}"
)
# A process that works in threads of its own keeps their connections. Web's pages run in a new thread each, whose
# connection would only be left lying about; the threads of the hot path keep theirs (orders/views/waiting.py).
DATABASES["default"]["CONN_MAX_AGE"] = None if DATABASE_KEEP_CONNECTIONS else 0
DATABASE_ROUTERS: list[str] = []

# --- Redis and Celery -----------------------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", default="") or f"unix://{quote(str(RUN_DIR / 'redis.sock'))}?db=0"


def _celery_broker(redis_url: str) -> str:
    """Spell a redis-py URL as kombu does: ``unix://PATH?db=N`` is ``redis+socket://PATH?virtual_host=N``."""
    if not redis_url.startswith("unix://"):
        return redis_url
    return redis_url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)


CELERY_BROKER_URL = _celery_broker(REDIS_URL)
CELERY_IMPORTS = ["tasks.dead_letters", "tasks.execution", "tasks.orphans", "tasks.pool", "tasks.sweeps"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "sweeps"
CELERY_TASK_PUBLISH_RETRY = False  # the database is the queue: a bell that cannot ring is rung by the sweep
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_DISABLE_RATE_LIMITS = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = True
CELERY_WORKER_SEND_TASK_EVENTS = env.bool("TASK_EVENTS", default=False)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "priority_steps": [0],
    "visibility_timeout": 60,
    "socket_connect_timeout": 2,
    "socket_keepalive": not REDIS_URL.startswith("unix://"),
}
CELERY_DB_REUSE_MAX = 1_000_000  # unset, Celery would close the database connection around each task
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"

REPLY_STREAM = "replies"
REPLY_STREAM_MAXLEN = 5000

# --- the way in -----------------------------------------------------------------------------------

WEBHOOK_MAX_AGE_SECONDS = env.int("WEBHOOK_MAX_AGE_SECONDS", default=60)
WEBHOOK_EXIT_MAX_AGE_SECONDS = env.int("WEBHOOK_EXIT_MAX_AGE_SECONDS", default=300)
WEBHOOK_MAX_AHEAD_SECONDS = env.int("WEBHOOK_MAX_AHEAD_SECONDS", default=10)
WEBHOOK_MAX_BYTES = 64 * 1024
WEBHOOK_BUDGET_SECONDS = env.float("WEBHOOK_BUDGET_SECONDS", default=2.5)
ORDER_BUDGET_SECONDS = env.float("ORDER_BUDGET_SECONDS", default=30.0)
REPLY_MAX_WAITERS = env.int("REPLY_MAX_WAITERS", default=500)
ENTRY_MAX_AGE_SECONDS = env.int("ENTRY_MAX_AGE_SECONDS", default=60)
REVERSAL_POLL_SECONDS = env.float("REVERSAL_POLL_SECONDS", default=0.5)
REVERSAL_POLLS = env.int("REVERSAL_POLLS", default=10)
MARKET_HOURS_REFRESH_SECONDS = env.int("MARKET_HOURS_REFRESH_SECONDS", default=86_400)
INSTRUMENTS_REFRESH_SECONDS = env.int("INSTRUMENTS_REFRESH_SECONDS", default=86_400)
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- the fleet ------------------------------------------------------------------------------------

FLEET_POOL_SIZE = env.int("FLEET_POOL_SIZE", default=4)
FLEET_POOL_MAX = env.int("FLEET_POOL_MAX", default=16)
FLEET_MAX_WORKERS = env.int("FLEET_MAX_WORKERS", default=300)
POOL_DEMAND_HOURS = env.float("POOL_DEMAND_HOURS", default=3.0)
POOL_WINDOW_SECONDS = env.float("POOL_WINDOW_SECONDS", default=10.0)
POOL_SHORT_SECONDS = env.float("POOL_SHORT_SECONDS", default=60.0)
POOL_SURPLUS_SECONDS = env.float("POOL_SURPLUS_SECONDS", default=60.0)
WORKER_IDLE_SECONDS = env.float("WORKER_IDLE_SECONDS", default=12 * 3600.0)
LEASE_TTL_SECONDS = env.float("LEASE_TTL_SECONDS", default=15.0)
LEASE_RENEW_SECONDS = env.float("LEASE_RENEW_SECONDS", default=5.0)
LEASE_MARGIN_SECONDS = env.float("LEASE_MARGIN_SECONDS", default=2.0)
WORKER_WEDGED_SECONDS = env.float("WORKER_WEDGED_SECONDS", default=45.0)
WORKER_STOP_SECONDS = env.float("WORKER_STOP_SECONDS", default=30.0)

# --- sending and following orders -----------------------------------------------------------------

BROKER_TIMEOUT_SECONDS = env.float("BROKER_TIMEOUT_SECONDS", default=10.0)
SIZING_MAX_AGE_SECONDS = env.float("SIZING_MAX_AGE_SECONDS", default=30.0)
UNDELIVERED_SECONDS = env.float("UNDELIVERED_SECONDS", default=5.0)
UNRESOLVED_SECONDS = env.float("UNRESOLVED_SECONDS", default=6.0)
LOOKUP_DELAYS_SECONDS = [float(s) for s in env.list("LOOKUP_DELAYS_SECONDS", default=["0", "1", "2", "4"])]
FILL_WAIT_MS = env.int("FILL_WAIT_MS", default=25)
FILL_LOOKUP_DELAYS_MS = [
    int(s) for s in env.list("FILL_LOOKUP_DELAYS_MS", default=["50", "100", "200", "400"])
]
VERIFY_FIRST_SECONDS = env.float("VERIFY_FIRST_SECONDS", default=2.0)
VERIFY_RETRY_SECONDS = env.float("VERIFY_RETRY_SECONDS", default=30.0)
VERIFY_RETRIES = env.int("VERIFY_RETRIES", default=3)
VERIFY_SLOW_SECONDS = env.float("VERIFY_SLOW_SECONDS", default=300.0)
UNPROTECTED_ALARM_SECONDS = env.float("UNPROTECTED_ALARM_SECONDS", default=10.0)
OVERCLOSED_POLICY = env.str("OVERCLOSED_POLICY", default="flatten")
"""What is done where exits have closed more than there was: ``flatten`` what is open the other way, or ``alarm``."""
VERIFY_BLIND_SECONDS = env.float("VERIFY_BLIND_SECONDS", default=5.0)
STREAM_SILENCE_SECONDS = env.float("STREAM_SILENCE_SECONDS", default=2.0)
STREAM_SUSPECT_SECONDS = env.float("STREAM_SUSPECT_SECONDS", default=300.0)
SWEEP_DUE_SECONDS = env.int("SWEEP_DUE_SECONDS", default=2)
SWEEP_ORPHANS_SECONDS = env.int("SWEEP_ORPHANS_SECONDS", default=60)
SWEEP_POOL_SECONDS = env.int("SWEEP_POOL_SECONDS", default=300)
SWEEP_VALUATION_SECONDS = env.int("SWEEP_VALUATION_SECONDS", default=60)
VALUATION_QUIET_SECONDS = env.float("VALUATION_QUIET_SECONDS", default=600.0)
EXIT_QUOTE_MAX_AGE_SECONDS = env.float("EXIT_QUOTE_MAX_AGE_SECONDS", default=60.0)
SWEEP_PROTECTION_SECONDS = env.int("SWEEP_PROTECTION_SECONDS", default=5)
SWEEP_MARKET_HOURS_SECONDS = env.int("SWEEP_MARKET_HOURS_SECONDS", default=300)
SWEEP_RECONCILE_SECONDS = env.int("SWEEP_RECONCILE_SECONDS", default=30)
RECONCILE_SECONDS = env.float("RECONCILE_SECONDS", default=600.0)
RECONCILE_AGAIN_SECONDS = env.float("RECONCILE_AGAIN_SECONDS", default=10.0)
RECONCILE_CASH_TOLERANCE = Decimal(env.str("RECONCILE_CASH_TOLERANCE", default="0.01"))
SWEEP_INSTRUMENTS_SECONDS = env.int("SWEEP_INSTRUMENTS_SECONDS", default=30)

CELERY_BEAT_SCHEDULE = {
    # A run that could not start in time is of no use: the next one does its work.
    "sweeps.due": {
        "task": "sweeps.due",
        "schedule": SWEEP_DUE_SECONDS,
        "options": {"queue": "sweeps", "expires": 2 * SWEEP_DUE_SECONDS},
    },
    "sweeps.orphans": {
        "task": "sweeps.orphans",
        "schedule": SWEEP_ORPHANS_SECONDS,
        "options": {"queue": "sweeps", "expires": SWEEP_ORPHANS_SECONDS},
    },
    "sweeps.pool": {
        "task": "sweeps.pool",
        "schedule": SWEEP_POOL_SECONDS,
        "options": {"queue": "sweeps", "expires": SWEEP_POOL_SECONDS},
    },
    "sweeps.valuation": {
        "task": "sweeps.valuation",
        "schedule": SWEEP_VALUATION_SECONDS,
        "options": {"queue": "sweeps", "expires": SWEEP_VALUATION_SECONDS},
    },
    "sweeps.protection": {
        "task": "sweeps.protection",
        "schedule": SWEEP_PROTECTION_SECONDS,
        "options": {"queue": "sweeps", "expires": 2 * SWEEP_PROTECTION_SECONDS},
    },
    "sweeps.market_hours": {
        "task": "sweeps.market_hours",
        "schedule": SWEEP_MARKET_HOURS_SECONDS,
        "start_time": datetime(2026, 1, 1, tzinfo=UTC),  # long ago: a fresh desk's first run is at once
        "options": {"queue": "sweeps", "expires": SWEEP_MARKET_HOURS_SECONDS},
    },
    "sweeps.reconcile": {
        "task": "sweeps.reconcile",
        "schedule": SWEEP_RECONCILE_SECONDS,
        "options": {"queue": "sweeps", "expires": SWEEP_RECONCILE_SECONDS},
    },
    "sweeps.instruments": {
        "task": "sweeps.instruments",
        "schedule": SWEEP_INSTRUMENTS_SECONDS,
        "start_time": datetime(2026, 1, 1, tzinfo=UTC),
        "options": {"queue": "sweeps", "expires": SWEEP_INSTRUMENTS_SECONDS},
    },
}

# --- brokers --------------------------------------------------------------------------------------

VENUE_URL = env.str("VENUE_URL", default=f"http://127.0.0.1:{VENUE_PORT}").rstrip("/")
VENUE_ADMIN_TOKEN = env.str("VENUE_ADMIN_TOKEN", default=_generated("venue_admin_token"))
VENUE_DATABASE_URL = env.str("VENUE_DATABASE_URL", default=f"host={RUN_DIR} user=venue dbname=venue")

VAULT_KEYS_DIR = Path(env.str("VAULT_KEYS_DIR", default=str(HOME / "keys")))
VAULT_OPEN_PURPOSES = env.list("VAULT_OPEN_PURPOSES", default=[])
"""What this process may open: web ``webhook``, the fleet ``broker`` and ``webhook``, others nothing."""

# --- API ------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "orders.api.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "orders.api.pagination.OrderCursorPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "orders.api.errors.problem_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tradingsite API",
    "VERSION": "1",
    "DESCRIPTION": "Orders, positions and trades by program. Errors are problem details (RFC 9457); "
    "amounts are strings, times UTC.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["orders.api.schema.without_slashes"],
    "ENUM_NAME_OVERRIDES": {
        "OrdTypeEnum": "brokers.types.OrdType",
        "SideEnum": "brokers.types.Side",
        "PositionSideEnum": "orders.figures.PositionSide",
        "TradeSideEnum": "orders.models.Trade.Side",
        "RequestStatusEnum": "orders.models.OrderRequest.Status",
        "TradeStatusEnum": "orders.models.Trade.Status",
        "FindingKindEnum": "orders.models.ReconciliationFinding.Kind",
        "RequestKindEnum": "orders.models.OrderRequest.Kind",
    },
}

# --- logs -----------------------------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {"()": "structlog.stdlib.ProcessorFormatter"},  # tradingsite/logs.py adds how
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "console"}},
    "filters": {
        # A 503 is an answer that the desk gives on purpose, and says why itself.
        "not_503": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", None) != 503,
        }
    },
    "loggers": {"django.request": {"filters": ["not_503"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
}
LOGGING_CONFIG = "tradingsite.logs.configure"
