"""What every room stands on: settings, clock, operational store engine, warehouse, logging. No rules live here."""
