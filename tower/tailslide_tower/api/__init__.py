"""How Tower speaks HTTP: routes that say what they take and give, errors, and the description made of both."""
