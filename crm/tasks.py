"""The ticks of this room: who is to hear something today, inside and outside the company."""
