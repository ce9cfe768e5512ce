"""Views of the patient: slices and 3D."""
