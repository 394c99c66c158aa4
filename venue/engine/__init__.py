"""What happens to an order between its acknowledgement and its end."""
