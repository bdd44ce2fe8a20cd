"""One module per resource: its shape, its bodies, its addresses, and the verbs they call."""
