"""Reconciliation: the ledger against the ERP's list, the payments' and the marketplaces' stock; and oversell."""
