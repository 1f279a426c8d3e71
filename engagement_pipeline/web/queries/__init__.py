"""What is read of the operational store for the API and the dashboard alike."""
