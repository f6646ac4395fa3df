"""Process settings, from the environment (`ORDERACK_…`) or a `.env` file. Adapters have their own beside their code."""

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):  # no such zone, no name of one, a folder of them
        raise ValueError("no time zone; write one such as Europe/Berlin") from None


class Settings(BaseSettings):
    """Where things are. Every value has a default that works on one machine."""

    model_config = SettingsConfigDict(env_prefix="ORDERACK_", env_file=".env", extra="ignore")

    home: Path = Field(default=Path(".orderack"), description="where the embedded run keeps its data")
    database_url: str = Field(default="", description="the ledger; empty: SQLite in `home`")
    policy_dir: Path = Field(default=Path("policy"), description="policy.yaml and messages/")
    public_url: str = Field(default="http://127.0.0.1:8090", description="where buyers and vendors reach the gateway")
    board_url: str = Field(
        default="",
        description="where operators open the gateway, if not at the public URL: messages to teams link there",
    )
    secret: SecretStr = Field(default=SecretStr(""), description="signs the buyer's links; made once by `orderack up`")
    api_keys: SecretStr = Field(default=SecretStr(""), description="`name:store:sha256` triples, comma separated")

    codec_keys: SecretStr = Field(
        default=SecretStr(""),
        description="`id:base64` pairs, comma separated: the first seals what Temporal stores, all open it",
    )
    codec_key_files: str = Field(
        default="", description="the same from files, one `id:base64` in each, comma separated: for mounted secrets"
    )

    log: Literal["json", "text"] = Field(default="text", description="how gateway and workers write their log")
    metrics_address: str = Field(
        default="127.0.0.1:9464",
        description="where each process serves its figures; a port in use: the next of 16; port 0: any; empty: nowhere",
    )

    trusted_proxies: str = Field(
        default="", description="addresses of our own proxies, comma separated: their X-Forwarded-For is believed"
    )
    rate_per_minute: int = Field(default=1_200, gt=0, description="requests that one API key may make in a minute")
    poll_seconds: float = Field(default=60.0, gt=0, description="how often the mailboxes of channels are read")
    sweep_minutes: float = Field(
        default=30.0, gt=0, description="how often each ERP is asked for every order that it has not receipted"
    )
    sweep_per_second: float = Field(
        default=2.0, gt=0, description="orders that a sweep asks one ERP about in a second, at most"
    )
    weekly_to: str = Field(
        default="",
        description="whom the weekly report is mailed to, e-mail addresses, comma separated; empty: nobody",
    )
    weekly_day: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"] = Field(
        default="monday", description="the day on which the report of the week before goes out"
    )
    weekly_hour: int = Field(default=7, ge=0, le=23, description="the hour, on the clock of `weekly_time_zone`")
    weekly_time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="an IANA time zone such as Europe/Berlin"
    )
    weekly_catch_up_days: float = Field(
        default=3.0, gt=0, le=6, description="how late a report still goes out that could not be mailed in its hour"
    )
    touch_days: int = Field(default=30, ge=0, description="days after which the IP address of a touch is dropped")

    policy_divisor: float = Field(
        default=1.0, gt=0, description="divides every service level; for demos and tests only"
    )
    send_lease_seconds: float = Field(default=45.0, gt=0, description="how long a send attempt may hold its claim")
    rates: dict[str, Annotated[float, Field(gt=0)]] = Field(
        default={},
        description='sends in a second by channel, as JSON, where your account may do more or less: {"twilio_sms": 30}',
    )
    messaging_per_second: float | None = Field(
        default=None, gt=0, description="a ceiling over all send attempts of all workers and channels; empty: none"
    )

    worker_cached_orders: int = Field(
        default=4_000, ge=10, description="open orders that a worker keeps in memory, about 140 KiB each"
    )
    worker_order_tasks: int = Field(
        default=16, ge=2, description="steps of orders that a worker takes at the same time"
    )
    worker_sends: int = Field(default=50, gt=0, description="sends that a worker makes at the same time")
    worker_calls: int = Field(
        default=20, gt=0, description="calls that a worker makes at the same time to ERPs, and as many to sources"
    )
    worker_pollers: int = Field(
        default=5, ge=2, description="requests for work that a worker keeps open per task queue"
    )
    worker_drain_seconds: float = Field(
        default=25.0, ge=0, description="how long what is in flight may take to end when a worker is told to stop"
    )
    worker_health_file: Path | None = Field(
        default=None,
        description="a file that a worker touches every 5 s while it works, for a container's health check",
    )

    deployment: str = Field(default="orderack", min_length=1, description="the name of the Worker Deployment")
    build_id: str = Field(default="", description="this build's version in the Worker Deployment; empty: no versioning")
    versioning: Literal["pinned", "auto_upgrade"] = Field(
        default="pinned", description="orders end on the build they began on, or move to the current one at once"
    )

    @property
    def ledger_url(self) -> str:
        """The ledger's SQLAlchemy URL (async driver)."""
        return self.database_url or f"sqlite+aiosqlite:///{self.home.resolve()}/ledger.db"
