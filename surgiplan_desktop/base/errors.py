"""The error tree: what happened and what to do, as a message id with typed parameters.

Words are not here. A message id names an entry ``[error.<id>]`` with ``text`` and ``hint`` in ``resources/messages``; the
application layer turns it into the user's language. Low layers raise and never catch to hide.
"""

from __future__ import annotations

from pathlib import Path

#: What may stand in a message: numbers are formatted by the template, paths and names as they are.
Parameter = str | int | float | bool


class SurgiPlanError(Exception):
    """An error the user can act on.

    Parameters
    ----------
    message_id
        Id of the text and hint, such as ``"mesh_open"``; the catalogue entry is ``[error.mesh_open]``.
    file
        The file or folder the message is about, if there is one.
    detail
        Technical detail in English for the log and the "Details" button; never shown alone.
    **parameters
        Values that the template names, e.g. ``thickness_mm=2.5``.
    """

    exit_code = 5

    def __init__(self, message_id: str, *, file: str | Path | None = None, detail: str = "", **parameters: Parameter) -> None:
        self.message_id = message_id
        self.file = None if file is None else str(file)
        self.detail = detail
        self.parameters = parameters
        super().__init__(message_id, parameters, self.file, detail)

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        parts = [f"{self.message_id}({values})", self.file or "", self.detail]
        return " | ".join(part for part in parts if part)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the named parameters, so that an error survives the way back from a worker process."""
        return (_rebuild, (type(self), self.message_id, self.file, self.detail, self.parameters))


def _rebuild(
    kind: type[SurgiPlanError], message_id: str, file: str | None, detail: str, parameters: dict[str, Parameter]
) -> SurgiPlanError:
    return kind(message_id, file=file, detail=detail, **parameters)


class UsageError(SurgiPlanError):
    """The command or option cannot be used like this (exit code 2)."""

    exit_code = 2


class InputDataError(SurgiPlanError):
    """The data given cannot be used (exit code 3)."""

    exit_code = 3


class PlanCheckError(SurgiPlanError):
    """A check of the plan failed, so nothing is exported (exit code 4)."""

    exit_code = 4


class ComputationError(SurgiPlanError):
    """A computation could not be completed (exit code 5)."""

    exit_code = 5
