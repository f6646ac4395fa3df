"""Deals of the HubSpot account in the sandbox: the adapter, set up by its settings alone, gets along."""

from orderack.embedded.sandbox import Target
from orderack.sources.hubspot_deal import SOURCE
from tests.embedded.sandbox.deal_suite import DealSuite


class TestHubSpotDeals(DealSuite):
    system = "hubspot_deal"
    spec = SOURCE
    target = Target.HUBSPOT
    secret = "token"
    window = "delivery_window"
    requests = 4
