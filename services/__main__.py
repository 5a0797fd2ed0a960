"""``python -m talweg.services`` and the ``talweg`` command."""

from .cli import main

if __name__ == "__main__":
    main()
