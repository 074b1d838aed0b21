"""Who may use the API: bearer tokens. There are no users, roles or sessions here."""
