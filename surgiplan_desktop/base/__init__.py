"""Units, spaces, errors, progress and paths: what every other layer may use."""
