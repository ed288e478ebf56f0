"""What the project costs, measured beside what it stands on, in one run on one machine."""
