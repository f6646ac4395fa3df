"""Who may open the board, and where it is (`ORDERACK_BOARD_…`). Without a key or an issuer there is no board."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class BoardSettings(BaseSettings):
    """Off by default."""

    model_config = SettingsConfigDict(
        env_prefix="ORDERACK_BOARD_", env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    keys: str = Field(
        default="",
        description="`name:role` pairs, comma separated: the API keys of these names open the board, each as `viewer`, "
        "`reviewer` or `admin` of its own stores",
    )
    url: str = Field(default="", description="where operators open the gateway, if not at ORDERACK_PUBLIC_URL")
    temporal_ui: str = Field(
        default="", description="the address of Temporal's UI with its namespace: https://temporal.example/namespaces/x"
    )
    idle_minutes: int = Field(default=60, ge=1, description="a login ends when nothing was opened for so long")
    session_hours: int = Field(default=12, ge=1, description="a login ends after so long whatever is done")
    wall_days: int = Field(default=30, ge=1, description="a wall screen's login ends after so long")
    tick_seconds: float = Field(default=2.0, ge=0.2, description="how often the record is read while somebody watches")

    oidc_issuer: str = Field(default="", description="the OpenID Connect provider that logs people in")
    oidc_client_id: str = Field(default="", description="this board's client id there")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="its secret; empty: a public client")
    oidc_scope: str = Field(default="openid email profile", description="what is asked for; `openid` is needed")
    oidc_name_claim: str = Field(default="email", description="the claim that names the person in every act")
    oidc_roles_claim: str = Field(default="groups", description="the claim with the person's groups; dots lead inside")
    oidc_roles: str = Field(
        default="", description="`group=role@store` triples, comma separated; the store `*` is every store"
    )

    local: bool = Field(default=False, description="`orderack up` alone sets it: a one-time link opens the board")
