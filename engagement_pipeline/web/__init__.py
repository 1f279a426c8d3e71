"""Web: the links of e-mails and what the provider posts, over HTTP; nothing is decided here."""
