"""Providers that deliver, each behind `Mailer`; loaded only where the settings choose it."""
