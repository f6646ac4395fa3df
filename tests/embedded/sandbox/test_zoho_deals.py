"""Deals of the Zoho account in the sandbox: the adapter, set up by its settings alone, gets along."""

from orderack.embedded.sandbox import Target
from orderack.sources.zoho_deal import SOURCE
from tests.embedded.sandbox.deal_suite import DealSuite


class TestZohoDeals(DealSuite):
    system = "zoho_deal"
    spec = SOURCE
    target = Target.ZOHO
    secret = "refresh_token"
    window = "Delivery_Window"
    requests = 5
