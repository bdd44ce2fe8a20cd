"""What is said to customers in time, and what staff have to do."""
