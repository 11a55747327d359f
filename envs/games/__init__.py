"""Two-player games of context editing: their rules, their players, and their forms for PettingZoo and Gymnasium."""
