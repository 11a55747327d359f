"""``nano``, a small transformer: the worlds it is trained on, and its training. No weights ship yet."""
