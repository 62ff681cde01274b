"""What commands share: flags, tables, files."""
