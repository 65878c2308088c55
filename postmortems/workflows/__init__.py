"""What people do, named by activity. The only writers."""
