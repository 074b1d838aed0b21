"""`tailslide demo`: a feature fails, its circuit opens, users come back; on real servers, in about a minute."""
