#!/usr/bin/env python3
"""Set up a fresh machine and do one job; standard library only, Linux and Windows.

    python3 installers/dev.py demo     the main job on the embedded demo leg, into out/demo
    python3 installers/dev.py test     every test
    python3 installers/dev.py gui      the window
    python3 installers/dev.py lint     style, types and import contracts

Each makes the virtual environment .venv beside the project if it is missing or out of date, installs the locked dependencies and
the package, sees to the system libraries, then does its job. What stands after the job's name goes to the job.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = Path(os.environ.get("SURGIPLAN_VENV", ROOT / ".venv"))
LOCK = ROOT / "installers" / "requirements-dev.lock"
JOBS = ("demo", "test", "gui", "lint")
NEEDED_PYTHON = (3, 11)
NEEDED_FREE_GB = 4.0
MOST_TEST_PROCESSES = 4

#: What a bare Debian or Ubuntu lacks: OpenGL without a screen, the libraries of Qt's X11 plug-in, and for tests a virtual
#: screen and a reader of PDF.
SYSTEM_PACKAGES = (
    *("xvfb", "openbox", "xdotool", "x11-apps", "libegl1", "libgl1", "libglx-mesa0", "libopengl0", "libgl1-mesa-dri"),
    *("libxcb-icccm4", "libxcb-keysyms1", "libxcb-cursor0", "libxkbcommon-x11-0", "libdbus-1-3", "poppler-utils"),
)


def say(text: str) -> None:
    """Print a line of set-up to standard error, so that a job's standard output stays its own."""
    print(f"[setup] {text}", file=sys.stderr, flush=True)


def stop(text: str) -> None:
    """End with a message for the user."""
    print(f"error: {text}", file=sys.stderr)
    raise SystemExit(2)


def python_of_environment() -> Path:
    """Return the interpreter inside the virtual environment."""
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def check_machine() -> None:
    """Refuse what cannot work, with the remedy."""
    if sys.version_info < NEEDED_PYTHON:
        have = ".".join(map(str, sys.version_info[:3]))
        stop(f"Python {have} is too old; 3.11 or newer is needed (call this file with it: python3.11 installers/dev.py ...)")
    if sys.maxsize < 2**32:
        stop("a 64-bit Python is needed")
    if not python_of_environment().exists():
        free_gb = shutil.disk_usage(ROOT).free / 1e9
        if free_gb < NEEDED_FREE_GB:
            stop(f"{free_gb:.1f} GB free under {ROOT}, about {NEEDED_FREE_GB:.0f} GB are needed for the virtual environment")


def missing_system_packages() -> list[str]:
    """Return the Debian packages that are not installed; empty on systems without dpkg."""
    if not sys.platform.startswith("linux") or shutil.which("dpkg-query") is None:
        return []
    wanted = [*SYSTEM_PACKAGES]
    try:
        import ensurepip  # noqa: F401 - only to see whether Debian has split it off
    except ImportError:
        wanted.append("python3-venv")
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted], capture_output=True, text=True, check=False
    )
    installed = {line.split()[0] for line in answer.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in installed]


def install_system_packages() -> None:
    """Install missing system libraries when allowed, otherwise print the one command that does."""
    missing = missing_system_packages()
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        sudo = shutil.which("sudo")
        if sudo is None or subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode != 0:
            say("system libraries are missing (the window, its tests and pictures need them). Run once:")
            say(f"  sudo apt-get update && sudo {' '.join(command)}")
            return
        command = ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", *command]
    say(f"installing system libraries: {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = [*command[: command.index("apt-get")], "apt-get", "update", "-qq"]
    subprocess.run(update, check=False, stdout=sys.stderr, env=environment)
    if subprocess.run(command, check=False, stdout=sys.stderr, env=environment).returncode != 0:
        say("they could not be installed; the window, its tests and pictures may not work. The command was:")
        say(f"  {' '.join(command)}")


def wanted_state() -> str:
    """Return a digest of what the environment is made from: the lock, the interpreter, the place of the project."""
    return hashlib.sha256(b"\0".join((LOCK.read_bytes(), sys.version.encode(), str(ROOT).encode()))).hexdigest()


def make_environment() -> None:
    """Make or refresh the virtual environment; an interrupted one is made anew."""
    stamp = ENVIRONMENT / "surgiplan-state"
    if stamp.is_file() and stamp.read_text() == wanted_state():
        return
    say(f"making the virtual environment {ENVIRONMENT} (once; some minutes)")
    stamp.unlink(missing_ok=True)
    venv.EnvBuilder(with_pip=True, clear=True).create(ENVIRONMENT)
    pip = [str(python_of_environment()), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    for arguments in (
        ["--require-hashes", "-r", str(LOCK)],
        ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    ):
        if subprocess.run([*pip, *arguments], check=False, stdout=sys.stderr).returncode != 0:
            stop("the dependencies could not be installed: see the lines above; a network or a package mirror is needed once")
    stamp.write_text(wanted_state())


def commands_of(job: str, rest: list[str]) -> list[list[str]]:
    """Return the command lines of a job."""
    python = str(python_of_environment())
    if job == "demo":
        return [[python, "-m", "surgiplan_desktop", "demo", "-o", str(ROOT / "out" / "demo"), "--force", *rest]]
    if job == "gui":
        return [[python, "-m", "surgiplan_desktop", "gui", *rest]]
    if job == "test":
        # a file of tests stays in one process: its shared legs and cases are made once; and in their order, because files of few
        # tests, put last, are the longest
        processes = str(min(os.cpu_count() or 1, MOST_TEST_PROCESSES))
        side_by_side = ["-n", processes, "--dist", "loadfile", "--no-loadscope-reorder"]
        return [[python, "-m", "pytest", *([] if "-n" in rest else side_by_side), *rest]]
    linter = "import sys; from importlinter.cli import lint_imports_command as main; sys.exit(main())"
    return [
        [python, "-m", "ruff", "check", *rest],
        [python, "-m", "ruff", "format", "--check"],
        [python, "-m", "mypy"],
        [python, "-c", linter],
    ]


def main(arguments: list[str]) -> int:
    """Set up and run the job; the exit code is the job's."""
    if not arguments or arguments[0] not in JOBS:
        print(__doc__, file=sys.stderr)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    check_machine()
    install_system_packages()
    make_environment()
    code = 0
    for command in commands_of(arguments[0], arguments[1:]):
        code = code or subprocess.run(command, cwd=ROOT, check=False).returncode
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
