"""Whom the codec server answers (`ORDERACK_CODEC_SERVER_…`). Its keys are those of every other process."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class CodecServerSettings(BaseSettings):
    """Nobody is answered unless tokens or an issuer say who may ask."""

    model_config = SettingsConfigDict(env_prefix="ORDERACK_CODEC_SERVER_", env_file=".env", extra="ignore")

    origins: str = Field(default="", description="addresses of Temporal's UI that may ask, comma separated")
    tokens: SecretStr = Field(
        default=SecretStr(""), description="`name:namespace:sha256` triples, comma separated: the token's own hash"
    )
    issuer: str = Field(default="", description="who signs the UI's access tokens (OpenID Connect)")
    audience: str = Field(default="", description="for whom they have to be")
    jwks_url: str = Field(default="", description="where the issuer's public keys are")
    claim: str = Field(default="permissions", description="the claim that holds `namespace:role`, as Temporal reads it")
    people: str = Field(
        default="", description="`e-mail:namespace` pairs, comma separated: logins that name people and no namespaces"
    )
    email_claim: str = Field(
        default="https://saas-api.tmprl.cloud/user/email",
        description="the claim that holds the e-mail: Temporal Cloud's",
    )
    encodes: bool = Field(default=False, description="whether it also seals, for signals sent from the UI by hand")
