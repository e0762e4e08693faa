"""`python -m heuristics`."""

from nightsift.tasks.heuristics import main

if __name__ == "__main__":
    main()
