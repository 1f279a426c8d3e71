"""The copywriter that asks a model: prompts, limits, budget, and what is kept so that nothing is paid for twice."""
