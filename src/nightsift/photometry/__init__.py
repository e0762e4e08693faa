"""What rejection buys: the light curve of a star."""
