"""The command line over the app layer."""
