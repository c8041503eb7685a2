"""``python -m forwarder.sandbox``."""

import sys

from .command import main

sys.exit(main())
