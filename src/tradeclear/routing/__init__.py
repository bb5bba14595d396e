"""What an amount would cost where: the books of outside venues, and quotes from them. No I/O."""
