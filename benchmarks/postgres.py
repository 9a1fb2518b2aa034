"""A private PostgreSQL in a folder of its own, for tests and benchmarks; it answers on a Unix socket alone."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import psycopg.sql

PACKAGE = "postgresql"


class NoPostgres(Exception):
    """PostgreSQL is not installed."""


class Cluster:
    """A PostgreSQL server; it refuses to run as root, so root runs it as another user."""

    def __init__(
        self, settings: dict[str, str] | None = None, folder: Path | None = None, wal_segment_mb: int = 1
    ) -> None:
        """Make and start it.

        Args:
            settings: those of postgresql.conf.
            folder: where its folder is made; a temporary one where None.
            wal_segment_mb: size of the files of its log.

        Raises:
            NoPostgres: the Debian package is missing.
        """
        found = shutil.which("initdb") or max(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default="")
        if not found:
            raise NoPostgres(f"PostgreSQL is missing. Install it as root: apt-get install {PACKAGE}")
        self._bin = Path(found).resolve().parent
        self._user = _another_user() if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="voicebot-pg-", dir=folder))
        if self._user:
            shutil.chown(self.folder, self._user, pwd.getpwnam(self._user).pw_gid)
        self.data = self.folder / "data"
        self._run(
            "initdb",
            "-D",
            self.data,
            "-U",
            "bills",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            f"--wal-segsize={wal_segment_mb}",
        )
        given = {"listen_addresses": "''", "unix_socket_directories": f"'{self.folder}'", "fsync": "off"}
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.writelines(f"{name} = {value}\n" for name, value in (given | (settings or {})).items())
        self.start()

    def start(self, most_file_bytes: int | None = None) -> None:
        """Start it and wait until it answers; with a limit on the size of its files, as on a disk that is full."""
        begin = "pg_ctl", "-D", self.data, "-w", "-t", "120", "-l", self.folder / "log", "start"
        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_file_bytes or unlimited[0], unlimited[1]))
        try:
            self._run(*begin)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)

    def stop(self, mode: str = "fast") -> None:
        """Stop it: "fast", or "immediate" as a crash would."""
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "120", "-m", mode, "stop")

    def remove(self) -> None:
        """Stop it and remove its folder."""
        self.stop("immediate")
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql+psycopg://bills@/{database}?host={self.folder}"

    def create(self, database: str, template: str = "template1") -> str:
        """Make a database, a copy of `template`; returns its URL."""
        with psycopg.connect(host=str(self.folder), user="bills", dbname="postgres", autocommit=True) as connection:
            names = psycopg.sql.Identifier(database), psycopg.sql.Identifier(template)
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        return self.url(database)

    def _run(self, command: str, *arguments: object) -> None:
        subprocess.run(
            [self._bin / command, *map(str, arguments)],
            user=self._user,
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=None if command != "pg_ctl" else subprocess.DEVNULL,
        )


def _another_user() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
