"""The first admin, and the way back in for whoever is locked out."""
