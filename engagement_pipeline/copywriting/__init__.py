"""What an e-mail says: brief, copy, validation, and rendering to HTML and plain text."""
