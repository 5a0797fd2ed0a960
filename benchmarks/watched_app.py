"""The dashboard as it is, watched as :mod:`benchmarks.watching` says. Run by Streamlit."""

import sys

from benchmarks import watching
from talweg.dashboard import app

if __name__ == "__main__":
    watching.watch()
    app.main(sys.argv[1:])
