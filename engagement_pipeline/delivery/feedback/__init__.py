"""What recipients and providers answer: read, checked, stored once, and drawn into the ledger."""
