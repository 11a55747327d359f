"""Editors, search loops and learners. They use the environments through the public API only."""
