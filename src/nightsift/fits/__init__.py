"""FITS files to frames, folders to nights, label tables to labels."""
