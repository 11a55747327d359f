"""Played tracks: a host that draws secret domains, executes every step itself, and keeps it before it answers."""
