"""`python -m train`."""

from nightsift.tasks.train import main

if __name__ == "__main__":
    main()
