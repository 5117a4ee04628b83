"""`python -m telesurv.cli` is the command `telesurv`."""

from telesurv.cli import main

if __name__ == "__main__":
    main()
