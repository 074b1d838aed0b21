"""What needs attention now, over all apps: the first thing that somebody asks who was woken up."""
