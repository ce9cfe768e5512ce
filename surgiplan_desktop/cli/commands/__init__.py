"""One module a command: arguments, what it does, what it prints."""
