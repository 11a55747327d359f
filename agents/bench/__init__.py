"""Optimizers compared under one budget: a grid of runs, the results as data, and the report on them."""
