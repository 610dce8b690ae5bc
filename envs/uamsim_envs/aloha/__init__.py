"""The ALOHA replica: two ViperX-300 6-DoF arms across a table."""
