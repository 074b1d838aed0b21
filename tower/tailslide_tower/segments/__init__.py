"""Segments: named groups of an app's users, which the rules of its flags may ask for."""
