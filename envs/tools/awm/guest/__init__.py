"""What runs inside the sandbox beside foreign code. Nothing here is imported by the main process for its work."""
