"""When markets trade: the calendar's sessions, an operator's word over them, and both in words."""
