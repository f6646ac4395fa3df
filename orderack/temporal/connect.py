"""The connection to Temporal, from the environment or a `temporal.toml` profile, as every Temporal tool reads them."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from temporalio.client import Client, Plugin
from temporalio.envconfig import ClientConfigProfile

from orderack.errors import Misconfigured
from orderack.temporal.codec_keys import CodecKeys
from orderack.temporal.converter import sealing_converter
from orderack.temporal.refusals import not_connected

DEFAULT_ADDRESS = "127.0.0.1:7233"
WAIT = timedelta(seconds=10)


async def connect(
    profile: str | None = None,
    *,
    lazy: bool = False,
    wait: timedelta = WAIT,
    env: Mapping[str, str] | None = None,
    plugins: Sequence[Plugin] = (),
) -> Client:
    """A client for the server that `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_PROFILE`, `TEMPORAL_TLS…`
    or `temporal.toml` name; 127.0.0.1:7233 when nothing does.

    `lazy` connects at the first call, for a process that has work to do while the server is away (the gateway).
    `env` stands for the process's environment. Payloads are sealed where it names keys (ORDERACK_CODEC_KEYS).
    Raises Unavailable when the server does not answer within `wait`, and Misconfigured when the profile or a key
    cannot be read, or the two do not trust each other (`orderack.temporal.refusals`).
    """
    try:
        settings = ClientConfigProfile.load(profile, override_env_vars=env)
        config = settings.to_client_connect_config()
    except RuntimeError as error:
        raise Misconfigured(f"Temporal's settings cannot be read: {error}") from error
    config.setdefault("target_host", DEFAULT_ADDRESS)
    address, namespace = config["target_host"], config.get("namespace", "default")
    converter = sealing_converter(CodecKeys.configured(env), namespace)
    try:
        async with asyncio.timeout(wait.total_seconds()):
            return await Client.connect(**config, data_converter=converter, lazy=lazy, plugins=plugins)
    except (RuntimeError, TimeoutError) as error:
        raise not_connected(error, address, namespace) from error
