"""WISMO watch: how often buyers ask where their order is, joined to what they were told and when (R13, R103, R174).

From the outside in: `watch` reads tickets and the ledger once and returns `figures.WismoFigures`. `phrases` says
whether a ticket asks for an order, `finding` of which one, `splits`, `days` and `lead` reckon, `telling` makes
sentences of the figures, `page` and `plots` the HTML.

The test of splits and of the lead, and the plot, need the extra `reports` (scipy, matplotlib).
"""
