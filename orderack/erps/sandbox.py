"""The sandbox ERP: the generic protocol under its own name, with settings of its own."""

from orderack.erps.http import HttpErpSettings, make
from orderack.registry import ErpSpec, settings_config


class SandboxErpSettings(HttpErpSettings):
    """`ORDERACK_ERP_SANDBOX_…`"""

    model_config = settings_config("ORDERACK_ERP_SANDBOX_")


ERP: ErpSpec = ErpSpec(
    description="The sandbox's ERP (`orderack sandbox`), over the generic protocol",
    obtain="`orderack up` sets these itself",
    settings=SandboxErpSettings,
    make=make,
    once="Each submission carries an Idempotency-Key.",
    receipts="It pushes them, signed; and it is asked.",
)
