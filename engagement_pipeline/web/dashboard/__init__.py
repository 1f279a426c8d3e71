"""The dashboard: pages rendered on the server for the people who run the shop; it reads what the API reads."""
