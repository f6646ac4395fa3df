"""How values become payloads: plain JSON through pydantic, small enough for a long history.

Fields that were never set are left out, and defaults are wire format (ADR 0004 of `docs/adr`).
A mutable model (the workflow's state at continue-as-new) is written whole: appending to a default list does
not count as setting it, and leaving it out would lose what was appended.
"""

from dataclasses import replace

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, ToJsonOptions
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadCodec,
)


class OrderPayloadConverter(CompositePayloadConverter):
    """The default converters, with JSON in pydantic's hands."""

    def __init__(self) -> None:
        json = _SmallJson()
        super().__init__(
            *(
                json if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


class _SmallJson(PydanticJSONPlainPayloadConverter):
    def __init__(self) -> None:
        super().__init__(ToJsonOptions(exclude_unset=True))
        self._whole = PydanticJSONPlainPayloadConverter()

    def to_payload(self, value: object) -> Payload | None:
        if isinstance(value, BaseModel) and not value.model_config.get("frozen"):
            return self._whole.to_payload(value)
        return super().to_payload(value)


def data_converter(codec: PayloadCodec | None = None) -> DataConverter:
    """The one data converter of clients, workers and replays. `codec` encrypts payloads, and with them failures."""
    converter = DataConverter(payload_converter_class=OrderPayloadConverter)
    if codec is None:
        return converter
    return replace(converter, payload_codec=codec, failure_converter_class=DefaultFailureConverterWithEncodedAttributes)
