"""The `sebridge` command."""
