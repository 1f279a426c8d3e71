"""The pages' handlers: each reads what a page shows, or does what a form asks for; nothing is decided here."""
