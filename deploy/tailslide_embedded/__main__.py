"""`python -m tailslide_embedded` is `tailslide`: how the command starts its own parts as child processes."""

from tailslide_embedded.cli import main

if __name__ == "__main__":
    main()
