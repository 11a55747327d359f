"""Task models, made from a string."""
