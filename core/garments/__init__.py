"""Clothes and hair as objects of their own, on the fitted body."""
