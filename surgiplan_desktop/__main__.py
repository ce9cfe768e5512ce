"""Entry point of ``surgiplan`` and ``python -m surgiplan_desktop``."""

import multiprocessing
import sys


def main() -> int:
    """Run the command line (which opens the window when no command is given)."""
    # Worker processes of a frozen program start here again; nothing else may come first.
    multiprocessing.freeze_support()
    try:
        from surgiplan_desktop.cli.main import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        # Ctrl-C while the program is still being loaded, where no command can answer it
        return 130


if __name__ == "__main__":
    sys.exit(main())
