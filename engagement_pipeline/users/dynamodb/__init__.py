"""Users and orders on DynamoDB, where its tables are the system of record."""
