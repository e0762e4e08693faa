"""A folder of frames to verdicts, and what is done with the files then."""
