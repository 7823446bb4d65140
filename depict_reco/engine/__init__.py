"""The models: numpy and scipy arrays in, arrays out, no Django.

Items, sessions and baskets are dense integers here; ``training`` translates a shop's ids to them
and ``serving`` back. Everything random takes a seed, and equal input gives equal output.
"""
