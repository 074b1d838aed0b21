"""HTTP/1.1 requests as bytes say them, strictly read; and answers of our own. Pure, without I/O."""
