"""What people read: report, README tables, listening page, slides."""
