"""A procedural leg with exact angles, and a CT simulator."""
