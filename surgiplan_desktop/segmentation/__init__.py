"""Voxels to bone labels."""
