"""Ticket files."""
