"""`python -m uamsim.experiment NAME ...` is the same as `uamsim experiment NAME ...`."""

import sys

from uamsim.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "experiment")
    sys.exit(main())
