"""The sandbox ERP: the generic one under its own name and settings."""

import pytest

from orderack import erps
from orderack.erps.http import HttpErp
from orderack.erps.sandbox import SandboxErpSettings
from tests.conformance.erp import NOW
from tests.erps.test_http import API_KEY, SECRET
from tests.erps.test_http import TestHttpErp as _HttpErpSuite


class TestSandboxErp(_HttpErpSuite):
    name = "sandbox"
    required = (
        "ORDERACK_ERP_SANDBOX_BASE_URL",
        "ORDERACK_ERP_SANDBOX_API_KEY",
        "ORDERACK_ERP_SANDBOX_WEBHOOK_SECRET",
    )

    def make(self, base_url: str) -> HttpErp:
        values = {"base_url": base_url, "api_key": API_KEY, "webhook_secret": SECRET}
        return HttpErp(self.name, SandboxErpSettings.model_validate(values), "ORDERACK_ERP_SANDBOX_", clock=lambda: NOW)

    async def test_a_receipt_speaks_for_the_erp_that_signed_it_whatever_it_says(self) -> None:
        async with self.erp() as erp:
            (receipt,) = erp.receipts(self.pushed([{**self.receipt(), "erp": "http"}]))
            assert receipt.erp == "sandbox"


def test_the_two_are_configured_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BASE_URL", "http://127.0.0.1:9"), ("API_KEY", API_KEY), ("WEBHOOK_SECRET", SECRET)):
        monkeypatch.setenv(f"ORDERACK_ERP_SANDBOX_{name}", value)
        monkeypatch.delenv(f"ORDERACK_ERP_HTTP_{name}", raising=False)
    built = erps.build()
    assert built["sandbox"].name == "sandbox"
    assert "http" in built.not_configured
