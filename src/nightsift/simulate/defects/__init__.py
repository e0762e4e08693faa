"""Defects with a strength in physical units; strength 0 changes nothing."""

from nightsift.simulate.defects.catalogue import DEFECTS

# Looked up now and not when first needed: what other packages add always comes after these.
SHIPPED = tuple(DEFECTS)
