"""`python -m predict`."""

from nightsift.tasks.predict import main

if __name__ == "__main__":
    main()
