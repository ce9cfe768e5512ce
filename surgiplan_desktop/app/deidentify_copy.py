"""Use case: a copy of a study without the person, whole or not at all."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from surgiplan_desktop.app.case_code import case_code
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.deidentify import Secret
from surgiplan_desktop.imaging.deidentify_files import CleanCopy, copy_without_person

_KEY_BYTES: Final = 32
_CODE_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"


@dataclass(frozen=True, slots=True)
class DeidentifiedCopy:
    """Where the copy lies and what is in it."""

    folder: Path
    copy: CleanCopy


def deidentify_copy(
    path: Path, folder: Path, *, code: str = "", key_file: Path | None = None, progress: Progress = SILENT
) -> DeidentifiedCopy:
    """Copy the images below ``path`` into the new folder without the person.

    Parameters
    ----------
    code
        Stands for the patient; empty: made from a secret, another one for each patient and each key.
    key_file
        Holds the secret that changes UIDs and dates; made where it is not there. Copies made with one key fit together, and who
        has it can tell which copy belongs to whom: it stays with the original. None: a secret that nobody keeps.

    Raises
    ------
    UsageError
        ``output_exists``, ``output_not_writable``, ``deidentify_code``, ``deidentify_key``, ``deidentify_several`` when one code
        was given for several patients.
    InputDataError
        ``not_found``, ``deidentify_nothing`` when no image is left.
    """
    target = Path(folder).expanduser().resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError("output_exists", file=target)
    if len(code) > 16 or set(code.upper()) - set(_CODE_LETTERS):
        raise UsageError("deidentify_code", code=code)
    secret = Secret(_key(key_file))
    seen: set[str] = set()

    def code_of(patient: str) -> str:
        seen.add(patient)
        if code and len(seen) > 1:
            raise UsageError("deidentify_several", code=code)
        return code.upper() or case_code(str(secret.number("code", patient)))

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=".surgiplan-", dir=target.parent))
    except OSError as error:
        raise UsageError("output_not_writable", file=target, reason=error.strerror or str(error)) from error
    try:
        try:
            copy = copy_without_person(path, hidden, secret, code_of, progress=progress)
            if not copy.files:
                raise InputDataError("deidentify_nothing", file=path, left_out=len(copy.left_out))
            hidden.chmod(0o755)
            if target.exists():
                target.rmdir()
            hidden.replace(target)
        except OSError as error:
            raise UsageError("output_not_writable", file=target, reason=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return DeidentifiedCopy(target, copy)


def _key(path: Path | None) -> bytes:
    """Return the secret of a key file, made where it is not there; without a file one that is kept nowhere."""
    if path is None:
        return secrets.token_bytes(_KEY_BYTES)
    path = path.expanduser()
    try:
        if not path.exists():
            path.write_text(secrets.token_hex(_KEY_BYTES) + "\n", encoding="ascii")
            path.chmod(0o600)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise UsageError("deidentify_key", file=path) from error
    if len(key) < _KEY_BYTES:
        raise UsageError("deidentify_key", file=path)
    return key
