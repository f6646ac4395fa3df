"""Receipts that an ERP, or a script beside it, pushes in our form, signed by Standard Webhooks (docs/erp-http.md)."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    TypeAdapter,
)

from orderack.clients import standard_webhooks
from orderack.clients.http import Clock
from orderack.clients.wire import read
from orderack.domain.order import Name
from orderack.domain.receipt import ErpReceipt, LineVerdict
from orderack.errors import BadSignature
from orderack.ports import RawRequest

BATCH_LIMIT = 1_000


def _webhook_secret(secret: SecretStr) -> SecretStr:
    standard_webhooks.secrets_of(secret.get_secret_value())
    return secret


WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
"""`whsec_<base64>` as a setting; two, comma separated, while rotating."""


class WireVerdict(LineVerdict):
    model_config = ConfigDict(extra="forbid")


class WireReceipt(BaseModel):
    """A receipt as the ERP writes it. `erp` is accepted and not believed: our settings say who is speaking."""

    model_config = ConfigDict(extra="forbid")

    id: Name
    erp: str | None = None
    store: Name
    number: Name
    revision: Annotated[int, Field(ge=1)] | None = None
    document_id: Name
    recorded_at: AwareDatetime
    lines: tuple[WireVerdict, ...] = ()

    def spoken_by(self, erp: str, revision: int | None = None) -> ErpReceipt:
        """Our own value, in the name of the ERP whose signature or answer this is."""
        known = {"erp": erp, "revision": self.revision or revision}
        return ErpReceipt.model_validate(self.model_dump() | known)


class Batch(BaseModel):
    model_config = ConfigDict(extra="forbid")

    receipts: Annotated[tuple[WireReceipt, ...], Field(min_length=1, max_length=BATCH_LIMIT)]


_OBJECT = TypeAdapter(dict[str, JsonValue])
_BATCH = TypeAdapter(Batch)
_ONE = TypeAdapter(WireReceipt)


class Pushed:
    """The door for one installation's receipts. Without a secret nobody may knock."""

    def __init__(self, erp: str, secret: SecretStr | None, clock: Clock) -> None:
        self._erp = erp
        self._secrets = None if secret is None else standard_webhooks.secrets_of(secret.get_secret_value())
        self._clock = clock

    def verify(self, request: RawRequest) -> None:
        """Standard Webhooks with any of the live secrets, within five minutes. Raises BadSignature."""
        if self._secrets is None:
            raise BadSignature(f"ERP {self._erp} has no webhook secret: it pushes nothing")
        standard_webhooks.verify(request, self._secrets, self._clock())

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        """One receipt, or `{"receipts": [...]}`. All or none: a batch with one problem is refused with all of them."""
        if "receipts" in read(_OBJECT, request.body):
            wires = read(_BATCH, request.body, strict=True).receipts
        else:
            wires = (read(_ONE, request.body, strict=True),)
        return tuple(wire.spoken_by(self._erp) for wire in wires)
