"""`python -m evaluate`."""

from nightsift.tasks.evaluate import main

if __name__ == "__main__":
    main()
