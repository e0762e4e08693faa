"""FITS files to frames, folders to nights in time order, label tables."""
