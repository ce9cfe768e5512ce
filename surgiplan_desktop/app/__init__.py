"""Use cases and the session that window and command line share."""
