"""The scripts of deploy/: who may use which database, and what a container's health check says."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from orderack.ledger import schema
from tests.deploy.installation import ROOT, free_port
from tests.postgres import USER, Postgres

HEALTHY = ROOT / "deploy/healthy.py"


def databases(server: Postgres, secrets: Path) -> None:
    """As the postgres image runs it."""
    subprocess.run(
        [str(ROOT / "deploy/postgres/databases.sh")],
        check=True,
        capture_output=True,
        env={
            "PATH": os.environ["PATH"],
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "POSTGRES_USER": USER,
            "TEMPORAL_PASSWORD_FILE": str(secrets / "temporal"),
            "LEDGER_PASSWORD_FILE": str(secrets / "ledger"),
        },
    )


def dsn(server: Postgres, role: str, database: str) -> str:
    return f"host=127.0.0.1 port={server.port} user={role} dbname={database}"


async def test_each_product_gets_its_databases_and_cannot_reach_the_others(postgres: Postgres, tmp_path: Path) -> None:
    for name in ("temporal", "ledger"):
        (tmp_path / name).write_text(f"it's-{name}\n")
    databases(postgres, tmp_path)
    databases(postgres, tmp_path)
    await schema.upgrade(f"postgresql+psycopg://ledger@127.0.0.1:{postgres.port}/ledger")
    for database in ("temporal", "temporal_visibility"):
        with psycopg.connect(dsn(postgres, "temporal", database), autocommit=True) as opened:
            opened.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")  # Temporal's visibility schema asks for it
            opened.execute("CREATE TABLE IF NOT EXISTS tried (id int)")
    for role, database in (("temporal", "ledger"), ("ledger", "temporal"), ("ledger", "temporal_visibility")):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(dsn(postgres, role, database))
    with psycopg.connect(dsn(postgres, USER, "postgres"), autocommit=True) as admin:
        for database in ("temporal", "temporal_visibility", "ledger"):
            admin.execute(f"DROP DATABASE {database} WITH (FORCE)")  # type: ignore[call-overload]
        for role in ("temporal", "ledger"):
            admin.execute(f"DROP ROLE {role}")  # type: ignore[call-overload]


@pytest.mark.parametrize(("age", "code"), [(0, 0), (25, 0), (40, 1), (None, 1)])
def test_a_worker_is_healthy_while_its_file_is_young(tmp_path: Path, age: int | None, code: int) -> None:
    file = tmp_path / "worker.health"
    if age is not None:
        file.touch()
        os.utime(file, (time.time() - age,) * 2)
    asked = subprocess.run(
        [sys.executable, "-S", str(HEALTHY)], env={"ORDERACK_WORKER_HEALTH_FILE": str(file)}, check=False
    )
    assert asked.returncode == code


def test_a_server_that_does_not_answer_is_not_healthy() -> None:
    url = f"http://127.0.0.1:{free_port()}/healthz"
    asked = subprocess.run([sys.executable, "-S", str(HEALTHY)], env={"HEALTH_URL": url}, check=False)
    assert asked.returncode == 1
