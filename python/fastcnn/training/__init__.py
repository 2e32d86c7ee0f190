"""Training: steps compiled to plans, and the loops around them."""
