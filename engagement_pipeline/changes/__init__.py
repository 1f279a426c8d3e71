"""What the tables on DynamoDB say has changed, brought into the operational store, which everybody else reads."""
