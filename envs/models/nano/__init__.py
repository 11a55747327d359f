"""``nano``, a small transformer: the worlds it is trained on, its training, and its weights."""
