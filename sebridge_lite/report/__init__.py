"""What people read: report, README tables, listening page, notebook pages."""
