"""How the whole gets on, in a few figures: computed in the warehouse, published for the API and the dashboard."""
