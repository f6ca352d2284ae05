"""`python -m videor2` is the command line; launchers such as accelerate and torchrun start it so."""

from videor2.cli import main

if __name__ == "__main__":
    main()
