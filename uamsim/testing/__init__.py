"""Fakes made from specs."""
