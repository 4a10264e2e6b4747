"""What files hold, read by their formats and without trust: wheels, archives, ELF, instructions, symbols."""
