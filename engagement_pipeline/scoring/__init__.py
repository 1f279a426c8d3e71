"""How likely a user is to order again: the formula, its population parameters, score tables, explanation, backtest."""
