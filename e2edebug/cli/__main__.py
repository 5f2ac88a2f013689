"""`python -m e2edebug.cli`."""

import sys

from e2edebug.cli import main

sys.exit(main())
