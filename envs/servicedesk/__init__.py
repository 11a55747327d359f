"""A help desk whose customers' satisfaction is not what is good for the shop."""
