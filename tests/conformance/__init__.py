"""The suites that every adapter inherits: what a channel and an ERP must do, whoever the vendor is."""
