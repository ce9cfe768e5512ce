"""What the view area shows of a study before it is a case: series found, films, meshes."""
