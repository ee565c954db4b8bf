"""`python -m emotion_site.secret_key`: give `.env` a SECRET_KEY unless it or the environment has one.

It runs before Django can start, so it imports nothing of it.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

ASSIGNMENT = re.compile(r"^(export )?SECRET_KEY=.", re.MULTILINE)


def ensure_secret_key(path: Path) -> bool:
    """Append a SECRET_KEY to the file at `path`, which only its owner may read. False when it had one."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if ASSIGNMENT.search(before):
        return False
    start = "\n" if before and not before.endswith("\n") else ""
    with open(path, "a", encoding="utf-8", opener=private) as file:
        file.write(f"{start}SECRET_KEY={secrets.token_urlsafe(50)}\n")
    path.chmod(0o600)
    return True


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def main() -> None:
    path = Path(os.environ.get("ENV_FILE") or Path(__file__).resolve().parent.parent / ".env")
    if not os.environ.get("SECRET_KEY") and ensure_secret_key(path):
        print(f"Wrote a new SECRET_KEY into {path.name}.")


if __name__ == "__main__":
    main()
