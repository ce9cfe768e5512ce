"""Tools that act on the views: one is active at a time."""
