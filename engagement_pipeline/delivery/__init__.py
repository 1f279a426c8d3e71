"""The ledger of e-mails, the sender that empties it, the mailers that hand over, and the suppression list."""
