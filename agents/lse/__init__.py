"""The LSE agent."""
