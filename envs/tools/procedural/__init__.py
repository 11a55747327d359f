"""The embedded family: offices with a database, tools, and house rules that only experience teaches."""
