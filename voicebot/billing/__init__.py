"""Identifiers, accounts, invoices and payments, and where they are kept."""
