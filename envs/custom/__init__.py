"""Your own questions: a file in, a scorer by name or a function, and the env that evolves a context for them."""
