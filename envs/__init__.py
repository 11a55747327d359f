"""The environments: core env, vector env, evaluator, budget, domains, task models and safe executors."""
