"""`python -m review`."""

from nightsift.tasks.review import main

if __name__ == "__main__":
    main()
