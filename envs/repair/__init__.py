"""A program repairer that follows advice: the context is feedback on code, the reward is tests passed."""
