"""Pictures of a run, drawn with the standard library only: evolution tree, score curve, one HTML page; and of a game.

``tree_svg`` and ``curve_svg`` return standalone SVG documents, ``tree_page`` a page that needs no network. All take
what ``tree.json`` holds, treat every string in it as hostile, and give the same bytes for the same input.
"""

from lse_gym.agents.pictures.curve import curve_svg
from lse_gym.agents.pictures.page import tree_page
from lse_gym.agents.pictures.tree import tree_svg

__all__ = ["tree_svg", "curve_svg", "tree_page"]
