"""AEGIS's game of an attacker and a defender (arXiv 2509.00088), with a harmless goal."""
