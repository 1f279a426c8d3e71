"""Fixtures of the tests about users and orders."""

from engagement_pipeline_tests.users.stores import shop

__all__ = ["shop"]
