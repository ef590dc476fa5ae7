"""`python -m rtaudio`, the same as the `rtaudio` command."""

import sys

from rtaudio.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
