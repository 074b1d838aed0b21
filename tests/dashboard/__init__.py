"""Browser tests: a package, so that browser and servers end with the last of them."""
