"""The site's settings under test: of the developer's environment only DATABASE_URL comes in.

Plain HTTP on loopback, as `make run` has it; tests/test_settings.py looks at HTTPS in processes of its own.
"""

import os
import re
import tempfile
from pathlib import Path

SETTINGS_FILE = Path(__file__).resolve().parent.parent / "emotion_site" / "settings.py"
VARIABLES = frozenset(re.findall(r'\benv\.\w+\(\s*"([A-Z_]+)"', SETTINGS_FILE.read_text(encoding="utf-8")))
FOLDER = tempfile.TemporaryDirectory(prefix="emotion-site-tests-")

for name in VARIABLES - {"DATABASE_URL"}:
    os.environ.pop(name, None)
os.environ["ENV_FILE"] = os.devnull
os.environ["SECRET_KEY"] = "only-for-tests-" * 5
os.environ["DATA_DIR"] = FOLDER.name
os.environ["LOOPBACK_HTTP"] = "1"

from emotion_site.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
TASKS = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}
STORAGES = STORAGES | {  # noqa: F405
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
}
STATIC_ROOT.mkdir()  # noqa: F405
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
