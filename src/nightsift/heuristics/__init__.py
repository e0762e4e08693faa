"""Rules and the published formula: nights to scores and reasons, without a network."""
