"""Servers with TLS, as a `temporal.toml` profile names them: those that work, and what is said of those that do not."""

import tomllib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.envconfig import ClientConfigProfile

from orderack.errors import Misconfigured, OrderAckError, Unavailable
from orderack.temporal.connect import connect
from orderack.temporal.refusals import not_connected
from tests.temporal.server import IDLE, Temporal
from tests.temporal.tls import NAME, Authority, Pair, ending_tls

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Place:
    """The same server: with TLS, for our clients only, with a certificate that has expired, and in clear."""

    tls: str
    mtls: str
    expired: str
    plain: str
    ours: Authority
    client: Pair
    others: Authority
    stranger: Pair


@pytest_asyncio.fixture(scope="module")
async def place(temporal: Temporal, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("tls")
    ours, others = Authority(folder), Authority(folder, "another authority")
    server, old = ours.issue(NAME), ours.issue(NAME, days=-1)
    async with (
        ending_tls(temporal.address, server) as tls,
        ending_tls(temporal.address, server, ours.certificate) as mtls,
        ending_tls(temporal.address, old) as expired,
    ):
        client, stranger = ours.issue("orderack"), others.issue("stranger")
        yield Place(tls, mtls, expired, temporal.address, ours, client, others, stranger)


def profile(folder: Path, address: str, tls: dict[str, object] | None = None, **more: str) -> dict[str, str]:
    """The environment that names a profile of this content."""
    lines = ["[profile.default]", f'address = "{address}"', f'namespace = "{IDLE}"']
    lines += [f'{name} = "{value}"' for name, value in more.items()]
    if tls is not None:
        lines += ["[profile.default.tls]"] + [f'{name} = "{value}"' for name, value in tls.items()]
    file = folder / "temporal.toml"
    file.write_text("\n".join(lines))
    return {"TEMPORAL_CONFIG_FILE": str(file)}


def trusting(place: Place, **more: object) -> dict[str, object]:
    return {"server_ca_cert_path": place.ours.certificate, "server_name": NAME} | more


def with_certificate(pair: Pair) -> dict[str, object]:
    return {"client_cert_path": pair.certificate, "client_key_path": pair.key}


async def test_a_server_of_ones_own_authority_is_trusted(place: Place, tmp_path: Path) -> None:
    client = await connect(env=profile(tmp_path, place.tls, trusting(place)))
    assert await client.count_workflows("WorkflowType = 'None'") is not None


async def test_a_client_certificate_is_shown_where_one_is_wanted(place: Place, tmp_path: Path) -> None:
    client = await connect(env=profile(tmp_path, place.mtls, trusting(place, **with_certificate(place.client))))
    assert client.namespace == IDLE


async def test_an_api_key_goes_over_tls(place: Place, tmp_path: Path) -> None:
    client = await connect(env=profile(tmp_path, place.tls, trusting(place), api_key="a-key"))
    assert client.config()["service_client"].config.tls


async def refusal(tmp_path: Path, address: str, tls: dict[str, object] | None, **more: str) -> OrderAckError:
    with pytest.raises(OrderAckError) as caught:
        await connect(env=profile(tmp_path, address, tls, **more), wait=timedelta(seconds=15))
    return caught.value


async def test_an_authority_that_is_not_known_is_said_and_how_to_name_it(place: Place, tmp_path: Path) -> None:
    for tls in ({"server_name": NAME}, trusting(place) | {"server_ca_cert_path": place.others.certificate}):
        error = await refusal(tmp_path, place.tls, tls)
        assert isinstance(error, Misconfigured)
        assert "authority" in str(error)
        assert "TEMPORAL_TLS_SERVER_CA_CERT_PATH" in str(error)


async def test_a_certificate_for_another_name_is_said(place: Place, tmp_path: Path) -> None:
    error = await refusal(tmp_path, place.tls, {"server_ca_cert_path": place.ours.certificate})
    assert isinstance(error, Misconfigured)
    assert "TEMPORAL_TLS_SERVER_NAME" in str(error)


async def test_a_certificate_that_has_expired_is_said(place: Place, tmp_path: Path) -> None:
    error = await refusal(tmp_path, place.expired, trusting(place))
    assert isinstance(error, Misconfigured)
    assert "expired" in str(error)


async def test_tls_towards_a_server_in_clear_is_said(place: Place, tmp_path: Path) -> None:
    for tls, more in ((trusting(place), {}), (None, {"api_key": "a-key"})):
        error = await refusal(tmp_path, place.plain, tls, **more)
        assert isinstance(error, Misconfigured)
        assert "does not speak TLS" in str(error)
        assert "a-key" not in str(error)


async def test_a_server_that_wants_tls_or_a_certificate_closes_and_the_guess_is_said(
    place: Place, tmp_path: Path
) -> None:
    stranger = trusting(place, **with_certificate(place.stranger))
    for address, tls in ((place.tls, None), (place.mtls, trusting(place)), (place.mtls, stranger)):
        error = await refusal(tmp_path, address, tls)
        assert isinstance(error, Unavailable)
        assert "TEMPORAL_TLS=true" in str(error)
        assert "TEMPORAL_TLS_CLIENT_CERT_PATH" in str(error)


@pytest.mark.parametrize(
    ("code", "words"), [("Unauthenticated", "TEMPORAL_API_KEY"), ("PermissionDenied", "TEMPORAL_NAMESPACE")]
)
def test_a_login_that_is_refused_is_ours_to_mend(code: str, words: str) -> None:
    said = RuntimeError(
        f"Failed client connect: `get_system_info` call error after connection: Status {{ code: {code} }}"
    )
    error = not_connected(said, "eu.example:7233", "orders.a1b2c")
    assert isinstance(error, Misconfigured)
    assert words in str(error)


def test_the_variables_that_are_named_are_those_that_are_read(tmp_path: Path) -> None:
    file = tmp_path / "some.pem"
    file.write_text("x")
    names = ("SERVER_CA_CERT_PATH", "CLIENT_CERT_PATH", "CLIENT_KEY_PATH", "SERVER_NAME")
    env = {f"TEMPORAL_TLS_{name}": str(file) for name in names} | {"TEMPORAL_TLS": "true", "TEMPORAL_API_KEY": "k"}
    read = ClientConfigProfile.load(override_env_vars=env, disable_file=True)
    assert read.tls
    assert all((read.tls.server_root_ca_cert, read.tls.client_cert, read.tls.client_private_key, read.tls.server_name))
    assert read.api_key == "k"


def test_every_profile_of_the_example_can_be_read() -> None:
    file = ROOT / "deploy/temporal.toml.example"
    names = tomllib.loads(file.read_text())["profile"]
    assert {"cloud", "cloud-mtls", "self-hosted", "self-hosted-mtls", "compose"} == set(names)
    for name, said in names.items():
        read = ClientConfigProfile.load(name, config_source=file, override_env_vars={})
        assert (read.address, read.namespace) == (said["address"], said["namespace"])
        wanted = said.get("tls", {})
        assert bool(read.tls and read.tls.client_cert) == ("client_cert_path" in wanted)
        assert bool(read.tls and read.tls.server_root_ca_cert) == ("server_ca_cert_path" in wanted)
        assert read.api_key == said.get("api_key")
