"""The ledger and the suppressions in DynamoDB: the same guarantees by conditional writes and transactions."""
