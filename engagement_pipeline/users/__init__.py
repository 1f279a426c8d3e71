"""Users and orders: models, the operational store, file import with quarantine, and the mirror into the warehouse."""
