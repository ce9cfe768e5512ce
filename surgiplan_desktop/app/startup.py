"""Builds what a session needs: settings, texts, jobs, catalogues, caches, notices. No globals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from surgiplan_desktop.app.jobs import Inbox, JobRunner, Post
from surgiplan_desktop.app.notices import Notices
from surgiplan_desktop.app.settings import Settings, read_settings
from surgiplan_desktop.app.texts import Texts, load_texts
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.paths import catalogue_roots, user_cache_folder, user_settings_folder, user_work_folder
from surgiplan_desktop.derive.cache import MemoryCache
from surgiplan_desktop.derive.disk_cache import DiskCache, program_tag

_MEGABYTE: Final = 1_000_000


class Catalogues(dict[str, Any]):
    """Catalogues by name; one that is not installed is an error with words."""

    def __missing__(self, name: str) -> Any:
        raise InputDataError("catalogue_missing", name=name)


@dataclass(frozen=True, slots=True)
class Services:
    """What sessions share. ``inbox`` is there when no ``post`` was given: its owner runs the posted calls."""

    settings: Settings
    texts: Texts
    jobs: JobRunner
    catalogues: Mapping[str, Any]
    cache: MemoryCache
    results: DiskCache
    notices: Notices
    post: Post
    inbox: Inbox | None
    work_folder: Path
    settings_folder: Path

    def close(self) -> None:
        """End the jobs and their workers."""
        self.jobs.close()


def start(*, post: Post | None = None, user_folder: Path | None = None, catalogues: Mapping[str, Any] | None = None) -> Services:
    """Build the services.

    Parameters
    ----------
    post
        Hands a call to the owner's thread; without it an :class:`Inbox` is made, as the command line uses it.
    user_folder
        Put settings, cache and work folders here instead of the user's own places.
    catalogues
        Implant catalogues by name; None reads those installed.
    """
    settings_folder = user_settings_folder() if user_folder is None else user_folder / "settings"
    cache_folder = user_cache_folder() if user_folder is None else user_folder / "cache"
    work_folder = user_work_folder() if user_folder is None else user_folder / "work"
    settings, finding = read_settings(settings_folder)
    notices = Notices()
    if finding is not None:
        notices.finding(finding)
    inbox = Inbox() if post is None else None
    post = inbox.post if inbox is not None else post
    assert post is not None  # noqa: S101 - one of the two is there
    if catalogues is None:
        catalogues = _installed_catalogues()
    return Services(
        settings=settings,
        texts=load_texts(settings.language),
        jobs=JobRunner(post, threads=settings.threads or None),
        catalogues=Catalogues(catalogues),
        cache=MemoryCache(settings.memory_limit_mb * _MEGABYTE),
        results=DiskCache(cache_folder / "results", program_tag(), settings.cache_limit_mb * _MEGABYTE),
        notices=notices,
        post=post,
        inbox=inbox,
        work_folder=work_folder,
        settings_folder=settings_folder,
    )


def _installed_catalogues() -> Mapping[str, Any]:
    # Imported here: reading catalogues pulls mesh libraries that tests of the core do without.
    from surgiplan_desktop.files.catalogues import load_catalogues

    return load_catalogues(catalogue_roots())
