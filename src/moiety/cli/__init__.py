"""The command `moiety`."""

from moiety.cli.main import main

__all__ = ["main"]
