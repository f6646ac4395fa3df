"""The gap doctor: why buyers are told "confirmed" before the ERP has the order, found from logs.

`logs` reads a shop's files, `joining` puts them together, `verdict` names the cause by the tests that `thresholds`
settles, `signals` lists the orders that show it, `page` writes the report. docs/gap-doctor.md says what it can tell.

Everything here needs the extra `reports` (polars, scipy, matplotlib).
"""
