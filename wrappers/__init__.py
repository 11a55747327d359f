"""Wrappers of the core env: action, observation, reward and curriculum. They know no task family."""
