"""Exported files: their names, the JSON beside each of them, and the way many files appear together or not at all."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from surgiplan_desktop import __version__
from surgiplan_desktop.base.errors import UsageError

#: Stands in every sidecar and on every report.
RESEARCH_USE_ONLY = (
    "RESEARCH USE ONLY - not a medical device, not for diagnostic or treatment decisions; not cleared or CE-marked"
)
SIDECAR_SCHEMA = 1
Approval = Literal["draft", "approved"]


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What name and sidecar of an exported file say.

    ``kind`` is what the file holds (``tibia``, ``guide``, ``tibia-distal-moved`` ...), ``step`` the step it belongs to (``bone``
    for bones, ``labels`` for label maps), ``fingerprint`` that of the result.
    """

    case: str
    side: str
    kind: str
    step: str
    fingerprint: str
    approval: Approval
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """``<case>_<side>_<kind>_<step>_<fingerprint8>``, ASCII, ``TEST_`` in front while not approved."""
        parts = (self.case or "CASE", self.side, self.kind, self.step, self.fingerprint[:8])
        name = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", part) for part in parts)
        return name if self.approval == "approved" else f"TEST_{name}"

    @property
    def header(self) -> str:
        """One line for the head of a mesh file: case, side, kind, unit, space, approval; no time."""
        state = "APPROVED" if self.approval == "approved" else "NOT APPROVED TEST"
        return f"SurgiPlan {self.case} {self.side} {self.kind} unit=mm space=LPS {self.fingerprint[:8]} {state}"


def write_sidecar(path: Path, identity: FileIdentity) -> Path:
    """Write ``<file>.json`` beside a file that is there already: identity, unit, space and the hash of its bytes."""
    data: dict[str, object] = {
        "schema": SIDECAR_SCHEMA,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "unit": "mm",
        "space": "LPS",
        "case": identity.case,
        "side": identity.side,
        "kind": identity.kind,
        "step": identity.step,
        "fingerprint": identity.fingerprint,
        "approval": identity.approval,
        "program": f"SurgiPlan Desktop {__version__}",
        "notice": RESEARCH_USE_ONLY,
        **identity.details,
    }
    target = path.with_name(path.name + ".json")
    target.write_text(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return target


@contextmanager
def all_or_nothing(folder: Path, names: tuple[str, ...], force: bool) -> Iterator[Path]:
    """Give a hidden folder to write files into; when the block ends well they all move to ``folder``, otherwise none does.

    Parameters
    ----------
    folder
        Where the files go; made when it is not there.
    names
        The files that will be written.
    force
        Replace files of these names.

    Raises
    ------
    UsageError
        ``output_exists`` naming the first file that is in the way, ``output_not_writable`` when the folder refuses.
    """
    folder = Path(folder).expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise UsageError("output_exists", file=folder)
    for name in names:
        if (folder / name).exists() and not force:
            raise UsageError("output_exists", file=folder / name)
    made = next((path for path in reversed((folder, *folder.parents)) if not path.exists()), None)
    done = False
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            hidden = Path(tempfile.mkdtemp(prefix=".surgiplan-", dir=folder))
        except OSError as error:
            raise UsageError("output_not_writable", file=folder, reason=error.strerror or str(error)) from error
        try:
            yield hidden
            for name in names:
                (hidden / name).replace(folder / name)
            done = True
        except UsageError as error:
            # a file that the disk refused in the hidden folder is told by the place that the user named
            if error.file is not None and Path(error.file).is_relative_to(hidden):
                error.file = str(folder)
            raise
        except OSError as error:
            raise UsageError("output_not_writable", file=folder, reason=error.strerror or str(error)) from error
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
    finally:
        if not done and made is not None:
            shutil.rmtree(made, ignore_errors=True)
