"""Plain torch modules, the fused probability, and weights on disk."""
