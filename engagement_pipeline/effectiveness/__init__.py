"""Whether writing helped: attribution of orders and the lift of mailed against held-out users."""
