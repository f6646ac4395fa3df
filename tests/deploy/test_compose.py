"""docker-compose.yml as far as it can be judged without Docker: every name leads somewhere, nothing is left open."""

import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from orderack.cli.main import run as orderack
from orderack.codec_server.settings import CodecServerSettings
from orderack.settings import Settings
from orderack.temporal.codec_keys import CodecKeys
from tests.deploy.installation import ROOT

OURS = re.compile(r"orderack:")
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z-]+)?\Z")
SETTINGS = {
    f"{settings.model_config.get('env_prefix', '')}{field}".upper()
    for settings in (Settings, CodecServerSettings)
    for field in settings.model_fields
}
OTHERS = {
    # The Temporal server's own template (common/config/config_template_embedded.yaml), read 2026-11.
    "temporal": {
        "DB",
        "DB_PORT",
        "POSTGRES_SEEDS",
        "POSTGRES_USER",
        "DBNAME",
        "VISIBILITY_DBNAME",
        "NUM_HISTORY_SHARDS",
        "BIND_ON_IP",
        "DYNAMIC_CONFIG_FILE_PATH",
        "PROMETHEUS_ENDPOINT",
        "LOG_LEVEL",
    },
    # The UI's (server/docker/config-template.yaml).
    "temporal-ui": {
        "TEMPORAL_ADDRESS",
        "TEMPORAL_DEFAULT_NAMESPACE",
        "TEMPORAL_CORS_ORIGINS",
        "TEMPORAL_CODEC_ENDPOINT",
        "TEMPORAL_CODEC_INCLUDE_CREDENTIALS",
        "TEMPORAL_NOTIFY_ON_NEW_VERSION",
    },
    "postgres": {
        "POSTGRES_USER",
        "POSTGRES_PASSWORD_FILE",
        "POSTGRES_INITDB_ARGS",
        "TEMPORAL_PASSWORD_FILE",
        "LEDGER_PASSWORD_FILE",
    },
}
HEALTH = {"HEALTH_URL", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}
"""What our containers read beside our settings: the health check, and Temporal's client."""

Service = Mapping[str, Any]


def loaded(name: str = "docker-compose.yml") -> dict[str, Any]:
    found = yaml.safe_load((ROOT / name).read_text())
    assert isinstance(found, dict)
    return found


COMPOSE = loaded()
SERVICES: Mapping[str, Service] = COMPOSE["services"]
ORDERACK = {name: one for name, one in SERVICES.items() if OURS.match(one["image"])}


def binds(service: Service) -> Iterator[tuple[str, str, str]]:
    """Folders and files of this repository that are mounted: source, target, mode."""
    for mount in service.get("volumes", ()):
        source, target, *mode = mount.split(":")
        if source.startswith("."):
            yield source, target, mode[0] if mode else "rw"


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_to_a_version(name: str) -> None:
    image = re.sub(r"\$\{[A-Z_]+:-([^}]+)\}", r"\1", SERVICES[name]["image"])
    assert PINNED.match(image), image
    assert "latest" not in image


@pytest.mark.parametrize("name", SERVICES)
def test_every_file_that_is_mounted_is_there_and_only_read(name: str) -> None:
    for source, _, mode in binds(SERVICES[name]):
        assert (ROOT / source).exists(), source
        assert mode == "ro", source


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_names_is_declared(name: str) -> None:
    service = SERVICES[name]
    for secret in service.get("secrets", ()):
        assert (secret if isinstance(secret, str) else secret["source"]) in COMPOSE["secrets"]
    for mount in service.get("volumes", ()):
        source = mount.partition(":")[0]
        assert source.startswith(".") or source in COMPOSE["volumes"]
    for other, waits in service.get("depends_on", {}).items():
        assert other in SERVICES
        ends = SERVICES[other].get("restart", "").startswith("on-failure")
        assert waits["condition"] == ("service_completed_successfully" if ends else "service_healthy")


def test_who_is_waited_for_can_be_seen_to_be_healthy() -> None:
    """Ours by the image's own check, others by one in the file."""
    for name, service in SERVICES.items():
        for other, waits in service.get("depends_on", {}).items():
            if waits["condition"] == "service_healthy" and other not in ORDERACK:
                assert "test" in SERVICES[other]["healthcheck"], f"{name} waits for {other}"


def test_nothing_waits_for_itself() -> None:
    done: set[str] = set()
    while ready := {n for n, s in SERVICES.items() if n not in done and set(s.get("depends_on", {})) <= done}:
        done |= ready
    assert done == set(SERVICES)


def test_ports_are_published_on_the_loopback_only_and_each_once() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(re.match(r"127\.0\.0\.1:\d+:\d+\Z", port) for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)
    assert all("network_mode" not in service and "privileged" not in service for service in SERVICES.values())


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_held_close(name: str) -> None:
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"]
    assert service.get("read_only") or name in ("postgres", "temporal-ui")
    assert service.get("user", "orderack") not in ("root", "0")
    assert "docker.sock" not in str(service.get("volumes"))


def test_no_secret_stands_in_the_file() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if not re.search("PASSWORD|PWD|SECRET|TOKEN|KEY", variable):
                continue
            assert variable.endswith(("_FILE", "_FILES")), f"{name}: {variable}"
            secret = str(value).removeprefix("/run/secrets/")
            assert secret in [s if isinstance(s, str) else s["source"] for s in service["secrets"]]
    assert all(secret["file"].startswith("./deploy/secrets/") for secret in COMPOSE["secrets"].values())


@pytest.mark.parametrize("name", ORDERACK)
def test_every_variable_of_ours_is_a_setting(name: str) -> None:
    for variable in ORDERACK[name]["environment"]:
        assert variable in SETTINGS | HEALTH, variable


@pytest.mark.parametrize("name", OTHERS)
def test_every_variable_of_others_is_one_that_their_image_reads(name: str) -> None:
    assert set(SERVICES[name]["environment"]) <= OTHERS[name]


@pytest.mark.parametrize("name", ORDERACK)
def test_every_command_of_ours_is_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command: Sequence[str] = ORDERACK[name]["command"]
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), command))
    assert orderack([*words, "--help"]) == 0
    said = capsys.readouterr().out
    for option in command[len(words) :]:
        if option.startswith("-"):
            assert re.search(rf"(?<!\S){re.escape(option)}(?![\w-])", said), option


def test_workers_of_every_queue_are_there_and_may_drain() -> None:
    from orderack.cli.worker_command import QUEUES, chosen

    workers = [service for service in ORDERACK.values() if service["command"][0] == "worker"]
    assert {queue for one in workers for queue in chosen(one["command"][2:])} == set(QUEUES)
    for one in workers:
        drain = float(one["environment"]["ORDERACK_WORKER_DRAIN_SECONDS"])
        assert drain < int(one["stop_grace_period"].removesuffix("s")) - 10


def test_temporal_is_set_up_to_last() -> None:
    assert SERVICES["temporal"]["environment"]["NUM_HISTORY_SHARDS"] == "512"
    assert SERVICES["temporal-namespace"]["environment"]["RETENTION"] == "90d"
    assert "postgres-data:/var/lib/postgresql/data" in SERVICES["postgres"]["volumes"]
    dynamic = yaml.safe_load((ROOT / "deploy/temporal/dynamicconfig.yaml").read_text())
    assert dynamic["matching.enableFairness"] == [{"value": True}]
    config = SERVICES["temporal"]["environment"]["DYNAMIC_CONFIG_FILE_PATH"]
    assert config in [target for _, target, _ in binds(SERVICES["temporal"])]


def test_what_is_measured_is_where_it_is_looked_for() -> None:
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in prometheus["scrape_configs"]}
    [looked] = jobs["orderack"]["dns_sd_configs"]
    assert set(looked["names"]) == {
        name for name, one in ORDERACK.items() if one["command"][0] in ("gateway", "worker")
    }
    port = ORDERACK["gateway"]["environment"]["ORDERACK_METRICS_ADDRESS"].rpartition(":")[2]
    assert str(looked["port"]) == port
    [temporal] = jobs["temporal"]["static_configs"]
    port = SERVICES["temporal"]["environment"]["PROMETHEUS_ENDPOINT"].rpartition(":")[2]
    assert temporal["targets"] == [f"temporal:{port}"]
    assert all((ROOT / "deploy/prometheus" / rules).is_file() for rules in prometheus["rule_files"])
    [provider] = yaml.safe_load(next((ROOT / "deploy/grafana/provisioning/dashboards").glob("*.yml")).read_text())[
        "providers"
    ]
    assert provider["options"]["path"] in [target for _, target, _ in binds(SERVICES["grafana"])]


def test_the_sandbox_lies_over_services_that_are_there() -> None:
    over = loaded("deploy/compose.sandbox.yml")["services"]
    assert set(over) - {"sandbox"} <= set(ORDERACK)
    said = " ".join(over["sandbox"]["entrypoint"])
    assert orderack(["sandbox", "--help"]) == 0
    assert "orderack sandbox --host sandbox" in said


# -- the scripts that it runs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").rglob("*.sh")), ids=lambda path: path.name)
def test_every_script_can_be_read_by_a_plain_shell(script: Path) -> None:
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
    assert "set -eu" in script.read_text()


def test_secrets_are_made_once_and_are_what_the_services_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = [str(ROOT / "deploy/make-secrets.sh"), str(tmp_path / "secrets")]
    first = subprocess.run(make, check=True, capture_output=True, text=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} == set(made)
    subprocess.run(make, check=True, capture_output=True)
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == made
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    for variable in (*SETTINGS, "ORDERACK_DATABASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    settings = Settings(_env_file=tmp_path / "secrets/orderack.env")  # type: ignore[call-arg]
    assert made["ledger_password"].strip() in settings.database_url
    assert len(settings.secret.get_secret_value()) >= 32
    assert CodecKeys.parse(made["codec_key"]).sealing
    key = re.search(r"/intake/demo\): (\w+)", first.stdout)
    assert key
    assert key[1] not in made["orderack.env"]


# -- the image --------------------------------------------------------------------------------------------------------


def stages() -> list[list[list[str]]]:
    """The Dockerfile's instructions by stage, each in words."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: list[list[list[str]]] = []
    for line in lines:
        if line.startswith("FROM "):
            found.append([])
        found[-1].append(shlex.split(line, posix=False))
    return found


def test_the_image_is_built_in_stages_and_runs_as_nobody_special() -> None:
    build, last = stages()
    assert build[0][1] == last[0][1]
    assert PINNED.match(last[0][1])
    instructions = [line[0] for line in last]
    assert [line[1] for line in last if line[0] == "USER"] == ["10001:10001"]
    assert instructions.index("USER") < instructions.index("ENTRYPOINT")
    assert not any("pip" in word or "apt" in word for line in last if line[0] == "RUN" for word in line)
    assert ["ENTRYPOINT", '["orderack"]'] in last
    assert "HEALTHCHECK" in instructions
    assert ["STOPSIGNAL", "SIGTERM"] in last
    assert not any(line[0] == "ADD" for line in (*build, *last))


def test_everything_that_is_copied_into_the_image_is_there_and_let_through() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in itertools.chain(*stages()):
        if line[0] == "COPY" and not line[1].startswith("--from"):
            for source in line[1:-1]:
                assert (ROOT / source).exists(), source
                assert any(source == path or source.startswith(f"{path}/") for path in allowed), source


def test_the_image_holds_locked_dependencies_without_the_developers() -> None:
    def blocks(name: str) -> dict[str, str]:
        """By name; two versions of one package, for two versions of Python, are one block."""
        found: dict[str, str] = {}
        for block in re.finditer(r"^([a-z0-9._-]+)==.*\n(?:    .*\n)*", (ROOT / name).read_text(), re.M):
            found[block[1]] = found.get(block[1], "") + block[0]
        return found

    runtime, everything = blocks("runtime.lock"), blocks("requirements.lock")
    assert runtime.items() <= everything.items()
    assert not {"pytest", "mypy", "ruff", "hypothesis", "uv-build", "playwright"} & set(runtime)
    assert {"temporalio", "psycopg-binary", "fastapi", "prometheus-client", "opentelemetry-sdk"} <= set(runtime)
    assert all("--hash=sha256:" in block for block in runtime.values())
    assert "uv-build" in everything
