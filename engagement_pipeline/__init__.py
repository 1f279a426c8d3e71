"""Finds the clients an online retailer is losing, writes to them once, and measures whether it helped."""
