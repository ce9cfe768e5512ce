"""Pure mathematics on points, meshes and solids in LPS millimetres."""
