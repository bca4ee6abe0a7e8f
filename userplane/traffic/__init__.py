"""Customers of the marketplace, for demonstrations and tests."""
