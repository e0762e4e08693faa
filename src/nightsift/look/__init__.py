"""One look at a file: everything that is ever wanted of it, made once and kept."""
