"""What the commands do, apart from the command line: plain functions on rows, paths and streams."""
