"""Defects with a strength in physical units; strength 0 changes nothing."""

from nightsift.simulate.defects.catalogue import DEFECTS

# Filled now, not at the first look-up: what other packages add always comes after what ships.
list(DEFECTS)
