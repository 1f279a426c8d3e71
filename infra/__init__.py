"""The system on AWS, as code: two stacks, what puts them into an account, and a demonstration on this machine."""
