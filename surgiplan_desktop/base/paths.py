"""Folders: the program's own resources, and the user's data, cache and log."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import PlatformDirs

_DIRS = PlatformDirs("surgiplan", appauthor=False)


def resource_folder() -> Path:
    """Folder with icons, messages, fonts, implants: beside the package when installed, the checkout's own otherwise."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "resources"
    return installed if installed.is_dir() else package.parent / "resources"


def user_data_folder() -> Path:
    """Folder for the user's models and catalogues (``SURGIPLAN_USER_FOLDER`` overrides; not created here)."""
    override = os.environ.get("SURGIPLAN_USER_FOLDER")
    return Path(override) / "data" if override else Path(_DIRS.user_data_dir)


def user_settings_folder() -> Path:
    """Folder of the settings file (not created here)."""
    override = os.environ.get("SURGIPLAN_USER_FOLDER")
    return Path(override) / "settings" if override else Path(_DIRS.user_config_dir)


def user_work_folder() -> Path:
    """Folder where open cases are unpacked and recovery copies lie (not created here)."""
    override = os.environ.get("SURGIPLAN_USER_FOLDER")
    return Path(override) / "work" if override else Path(_DIRS.user_state_dir) / "work"


def user_cache_folder() -> Path:
    """Folder of results that can be computed again at any time (not created here)."""
    override = os.environ.get("SURGIPLAN_USER_FOLDER")
    return Path(override) / "cache" if override else Path(_DIRS.user_cache_dir)


def user_log_folder() -> Path:
    """Folder of the program's log (not created here)."""
    override = os.environ.get("SURGIPLAN_USER_FOLDER")
    return Path(override) / "log" if override else Path(_DIRS.user_log_dir)


def catalogue_roots(extra: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """Where models and implant catalogues are looked for, first wins: given, ``SURGIPLAN_DATA_PATH``, user, resources."""
    listed = os.environ.get("SURGIPLAN_DATA_PATH", "")
    named = tuple(Path(part) for part in listed.split(os.pathsep) if part)
    return (*extra, *named, user_data_folder(), resource_folder())
