"""Arithmetic word problems: what the hinter and the reasoner are asked, made from a theme and a seed."""
