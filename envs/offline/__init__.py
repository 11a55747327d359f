"""The scripted stand-ins for language models, offline and deterministic: ``reader`` answers, ``writer`` edits."""
