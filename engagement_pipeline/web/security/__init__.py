"""Security: who may do what over HTTP, and what holds for every request."""
