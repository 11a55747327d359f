"""The environments: core env, vector env, session, budget, domains, task models and safe executors."""
