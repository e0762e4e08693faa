"""The review window: a person looks at frames, decides with one key, and is believed."""
