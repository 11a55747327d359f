"""Data science: tasks in DARE-bench's layout, answered by code that runs in the sandbox."""
