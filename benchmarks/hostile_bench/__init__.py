"""What `hostile.py` is made of: the system under attack, a bystander who measures, the attacks, the tables."""
