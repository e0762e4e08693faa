"""`python -m review`: the name is kept for a task that this version does not have yet."""

from nightsift.cli import start

if __name__ == "__main__":
    start("review")
