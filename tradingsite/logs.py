"""One JSON line for each log record, whether structlog or a library wrote it."""

import logging.config
from typing import Any

import structlog
from structlog.typing import Processor

shared: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(config: dict[str, Any]) -> None:
    """Configure logging and structlog from ``settings.LOGGING``; Django calls this in ``setup()``."""
    formatter = config["formatters"]["console"]
    formatter["processors"] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    formatter["foreign_pre_chain"] = shared
    logging.config.dictConfig(config)
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
