"""`python -m simulate`."""

from nightsift.tasks.simulate import main

if __name__ == "__main__":
    main()
