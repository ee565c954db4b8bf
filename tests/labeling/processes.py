"""A site in a data folder and a database of its own, and the processes that work on it."""

from __future__ import annotations

import json
import os
import sqlite3
import string
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
PREPARE = """
import django
django.setup()
from django.core.management import call_command
from tests.factories import make_active_model
from tests.labeling.training import make_dataset
call_command("migrate", verbosity=0)
make_active_model()
make_dataset()
"""
MANAGE = """
import json, signal, sys
from django.core.management import execute_from_command_line
from labeling import trainer_process
# A shell that starts the tests in the background has them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
trainer_process.TRAINER = tuple(json.loads(sys.argv[1]))
execute_from_command_line(["manage.py", *sys.argv[2:]])
"""


def environment(data: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "emotion_site.settings",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": string.ascii_letters,
        "DATA_DIR": str(data),
        "LOOPBACK_HTTP": "1",
        **more,
    }


def run_script(script: str, environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True)


def managing(script: str, trainer: tuple[str, ...], *arguments: str) -> list[str]:
    """The command line of MANAGE, or of what it is the end of."""
    return [sys.executable, "-c", script, json.dumps(trainer), *arguments]


class SQLiteDatabase:
    """A file, which is away while somebody else writes into it."""

    def __init__(self, data: Path) -> None:
        self.file = data / "db.sqlite3"
        self.environment: dict[str, str] = {}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()

    @contextmanager
    def away(self) -> Iterator[None]:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            yield


class PostgresDatabase:
    """One of the server's, which is away when it throws everybody out and lets nobody in."""

    def __init__(self, like: str) -> None:
        self.name, self.like = f"test_{uuid.uuid4().hex[:12]}", like
        self.environment = {"DATABASE_URL": postgres_url(self.name)}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(postgres_url(self.name)) as database:
            return database.execute(query.encode()).fetchall()

    @contextmanager
    def away(self) -> Iterator[None]:
        import psycopg
        from psycopg import sql

        name = sql.Identifier(self.name)
        with psycopg.connect(postgres_url("postgres"), autocommit=True) as server:
            server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
            try:
                server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.name]
                )
                yield
            finally:
                server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))

    @contextmanager
    def there(self) -> Iterator[PostgresDatabase]:
        import psycopg
        from psycopg import sql

        name, like = sql.Identifier(self.name), sql.Identifier(self.like)
        with psycopg.connect(postgres_url("postgres"), autocommit=True) as server:
            server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, like))
            yield self
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


Database = SQLiteDatabase | PostgresDatabase


def postgres_url(name: str) -> str:
    told = connection.settings_dict
    who = quote(str(told["USER"])) + (f":{quote(str(told['PASSWORD']))}" if told["PASSWORD"] else "")
    return f"postgres://{who}@{told['HOST']}:{told['PORT'] or 5432}/{name}"


@contextmanager
def own_database(data: Path, *, like: Database | None = None) -> Iterator[Database]:
    """Of the kind that the tests run on: empty, or as another was. `data` is a copy of that one's already."""
    if connection.vendor == "sqlite":
        yield SQLiteDatabase(data)
        return
    with PostgresDatabase(getattr(like, "name", "template1")).there() as database:
        yield database
