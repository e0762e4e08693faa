"""Looks to nights: grouping, matched stars, photometry, and the smooth course of a night."""
