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

from orderack.temporal.codec import Sealing
from orderack.temporal.codec_keys import CodecKeys


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


def data_converter(codec: PayloadCodec | None = None, *, failures: bool = True) -> DataConverter:
    """The one data converter of clients, workers and replays. `codec` encodes payloads and, unless told otherwise,
    the messages and traces of failures, which Temporal stores in clear by themselves."""
    converter = DataConverter(payload_converter_class=OrderPayloadConverter, payload_codec=codec)
    if codec is None or not failures:
        return converter
    return replace(converter, failure_converter_class=DefaultFailureConverterWithEncodedAttributes)


def sealing_converter(keys: CodecKeys, namespace: str) -> DataConverter:
    """The converter of a process with these keys, perhaps none: what is sealed is never mistaken for something else."""
    return data_converter(Sealing(keys, namespace), failures=keys.sealing is not None)
