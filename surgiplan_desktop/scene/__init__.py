"""What is drawn, with VTK and without Qt."""
