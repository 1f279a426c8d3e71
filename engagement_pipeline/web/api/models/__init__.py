"""What the API takes and gives, as JSON: its documentation is made from these."""
