"""Deals of the Salesforce account in the sandbox: the adapter, set up by its settings alone, gets along."""

from orderack.embedded.sandbox import Target
from orderack.sources.salesforce_deal import SOURCE
from tests.embedded.sandbox.deal_suite import DealSuite


class TestSalesforceDeals(DealSuite):
    system = "salesforce_deal"
    spec = SOURCE
    target = Target.SALESFORCE
    secret = "client_secret"
    window = "Delivery_Window__c"
    taxes = False
    requests = 1
