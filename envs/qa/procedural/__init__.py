"""The embedded family of invented subjects."""
