"""The build backend (PEP 517) that pyproject.toml names: setuptools, with the front-end code put in place first."""

from typing import Any

from setuptools import build_meta

from scripts.build import frontend

prepare_metadata_for_build_wheel = build_meta.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable
get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist
build_sdist = build_meta.build_sdist


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Return what pip installs before it builds: npm, where there is none."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *frontend.requirements()]


def get_requires_for_build_editable(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Return what pip installs before it installs the checkout itself."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *frontend.requirements()]


def build_wheel(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Build a wheel that holds the front-end code."""
    frontend.install()
    return str(build_meta.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: dict[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Build the link to this checkout; the front-end code is put into the checkout."""
    frontend.install()
    return str(build_meta.build_editable(wheel_directory, config_settings, metadata_directory))
