"""How gunicorn serves the site. Read by `gunicorn -c emotion_site/gunicorn_conf.py emotion_site.wsgi`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emotion_site import settings

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter

bind = f"{settings.BIND_HOST}:{settings.PORT}"
worker_class = "gthread"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
# A fork after loading would share one onnxruntime thread pool between processes, and hang.
preload_app = False
timeout = 60
# honcho kills what is still there 5 s after Ctrl-C.
graceful_timeout = 4
keepalive = 5
# TRUST_PROXY alone decides whether a proxy's word on HTTPS counts.
secure_scheme_headers: dict[str, str] = {}
# It would stand in the home folder, and be shared by every site of this user.
control_socket_disable = True
# The heartbeat file belongs in memory: on a busy disk its writes can stall a worker into being killed.
MEMORY = Path("/dev/shm")  # noqa: S108 - gunicorn makes its file there without a name
worker_tmp_dir = str(MEMORY) if MEMORY.is_dir() else None


def when_ready(server: Arbiter) -> None:
    scheme = "http" if settings.LOOPBACK_HTTP else "https"
    host = "localhost" if settings.LOOPBACK_HTTP else settings.ALLOWED_HOSTS[0]
    server.log.info("Open %s://%s%s - Ctrl-C stops the site.", scheme, host, port_suffix())


def port_suffix() -> str:
    """Behind a proxy the port here is nobody's business."""
    return f":{settings.PORT}" if settings.LOOPBACK_HTTP else ""
