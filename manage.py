#!/usr/bin/env python3
"""The command line: ``python manage.py --help``."""

import sys

from forwarder.cli import main

if __name__ == "__main__":
    sys.exit(main())
