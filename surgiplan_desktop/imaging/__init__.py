"""DICOM and other image formats to volumes, and back."""
