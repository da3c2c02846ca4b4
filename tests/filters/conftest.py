"""Filters that need an exchange of a worker get it from the stage of the worker's tests."""

from tests.worker.conftest import stage, staged

__all__ = ["stage", "staged"]
