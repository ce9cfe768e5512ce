"""Entry point of ``surgiplan`` and ``python -m surgiplan_desktop``."""

import multiprocessing
import sys


def main() -> int:
    """Run the command line (which opens the window when no command is given)."""
    # Worker processes of a frozen program start here again; nothing else may come first.
    multiprocessing.freeze_support()
    from surgiplan_desktop.cli.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
