"""`python -m datong` is `datong`."""

from datong.app.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
