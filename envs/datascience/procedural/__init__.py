"""The embedded, procedural data-science family."""
