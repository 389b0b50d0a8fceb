"""D = (I, Q, C, R) -> mined training data: recall, the rule of PAPER 3.3, guards. Start at recipe.py."""
