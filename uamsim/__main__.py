"""`python -m uamsim VERB` is `uamsim VERB`."""

import sys

from uamsim.cli import main

if __name__ == "__main__":
    sys.exit(main())
