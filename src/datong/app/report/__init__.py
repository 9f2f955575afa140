"""What people read of a run: a web page and a workbook."""
